"""For those who watch an installation: a Grafana dashboard, and alert rules for Prometheus.

`dashboard.json` can be imported into Grafana as it is, `rules.yaml` is a rules file of Prometheus.
Here they become what Grafana's sidecar and the Prometheus operator look for; both are optional.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources

import yaml

from athanor.api.meta import JSON
from athanor.assembly.install.parts import Wishes, head

VERSION = "monitoring.coreos.com/v1"
_FILES = resources.files("athanor.assembly.install")


def dashboard() -> str:
    """The dashboard, in Grafana's JSON."""
    return _FILES.joinpath("dashboard.json").read_text()


def rules() -> JSON:
    """The content of a rules file: `groups`."""
    found: JSON = yaml.safe_load(_FILES.joinpath("rules.yaml").read_text())
    return found


def manifests(wishes: Wishes) -> Iterable[JSON]:
    """What is wished for of the two."""
    if wishes.dashboard:
        board = head("v1", "ConfigMap", "athanor-dashboard", wishes.namespace)
        board["metadata"]["labels"] = {"grafana_dashboard": "1"}
        yield {**board, "data": {"athanor.json": dashboard()}}
    if wishes.rules:
        yield {**head(VERSION, "PrometheusRule", "athanor", wishes.namespace), "spec": rules()}
