"""Whatever it is, nothing is lost unsaid, and the server takes what is made."""

from __future__ import annotations

import pytest

from athanor.api.crons import Cron
from athanor.api.training import TrainingJob
from athanor.sdk.foreign.convert import convert
from athanor.testing import lab, virtual
from tests.unit.sdk.foreign.manifests import EVERY, read


@pytest.mark.parametrize(
    ("field", "named"),
    [
        ("spec: {replicaSpecs: 3}", "spec.replicaSpecs"),
        ("spec: {replicaSpecs: [7]}", r"spec.replicaSpecs\[0\]"),
        ("spec: {runPolicy: [x]}", "spec.runPolicy"),
        ("spec: {replicaSpecs: [{template: {spec: {containers: x}}}]}", "containers"),
        ("spec: {replicaSpecs: [{}], successRules: [worker]}", "rule 'worker'"),
    ],
)
def test_what_has_another_shape_is_refused_by_its_field(field: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        read(f"{{apiVersion: batch.tensorstack.dev/v1beta1, kind: GenericJob, {field}}}")


def test_unknown_kinds_are_refused_with_those_that_are_known() -> None:
    with pytest.raises(ValueError, match="TFJob"):
        convert({"apiVersion": "apps/v1", "kind": "Deployment"})


def test_what_is_made_is_accepted_by_the_server() -> None:
    async def main() -> None:
        async with lab.server() as world:
            for number, text in enumerate(EVERY):
                made = read(text).manifest
                meta = {**made["metadata"], "name": f"a{number}", "namespace": "default"}
                kind = Cron if made["kind"] == "Cron" else TrainingJob
                await world.create({**made, "metadata": meta}, kind)

    virtual.run(main)
