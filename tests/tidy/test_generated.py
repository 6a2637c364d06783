"""Generated files are up to date."""

from __future__ import annotations

import subprocess
import sys

from athanor.local.apiserver.refusals import DEPARTURES, REFUSALS
from tests.conformance.differences import declared
from tests.tidy.sources import ROOT


def test_the_crds_are_those_of_the_structs() -> None:
    checked = subprocess.run(
        [sys.executable, "tools/crds.py", "--check"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.stdout.strip() == ""
    assert checked.returncode == 0, checked.stderr


def test_the_reference_is_that_of_the_sources() -> None:
    checked = subprocess.run(
        [sys.executable, "tools/docs.py", "--check"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_chart_is_that_of_the_installation() -> None:
    checked = subprocess.run(
        [sys.executable, "tools/chart.py", "--check"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_what_differs_from_a_real_kubernetes_is_listed() -> None:
    listed = {r.what for r in REFUSALS} | {d.what for d in DEPARTURES}
    assert {d.why for d in declared()} <= listed
    assert {d.what for d in DEPARTURES} <= {d.why for d in declared()}, "nothing differs so"
