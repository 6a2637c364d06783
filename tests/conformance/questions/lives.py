"""Every kind through every verb: the same questions about each sample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import structs

from tests.conformance.questions.samples import NS, SAMPLES, Sample
from tests.conformance.scenario import Step, delete, get, patch, post, put

TABLE = {"accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}
PARTIAL = {"accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"}
PARTIALS = {"accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
_HOLD = "example.com/hold"


def _named(sample: Sample, name: str = "") -> dict[str, object]:
    """The sample as a whole object."""
    name = name or _name(sample)
    head = {"apiVersion": sample.version, "kind": sample.kind}
    return {**head, "metadata": {"name": name, "labels": {"mine": "{ns}"}}, **sample.body}


def _name(sample: Sample) -> str:
    return "{ns}-a" if sample.prefixed else sample.name


def _cleared(sample: Sample) -> Sequence[Step]:
    """What goes with no namespace is taken away."""
    if NS in sample.path:
        return ()
    return (delete(f"{sample.path}/{_name(sample)}", code=(200, 404), omit=("*",)),)


def _questions(sample: Sample) -> Iterator[tuple[str, Sequence[Step]]]:
    path, name = sample.path, _name(sample)
    one, mine = f"{path}/{name}", "labelSelector=mine={ns}"
    whole = _named(sample)
    made = post(path, whole, save={"version": "metadata.resourceVersion"})
    yield (
        "create",
        [
            made,
            post(path, whole, code=409),
            post(f"{path}?dryRun=All", {"metadata": {"name": name + "2"}}, code=(201, 400, 422)),
            post(f"{path}?dryRun=All", {"metadata": {"name": "UPPER_"}, **sample.body}, code=422),
            post(f"{path}?dryRun=All", {**whole, "kind": "Other"}, code=400),
            get(one),
        ],
    )
    yield (
        "lists and tables",
        [
            made,
            get(f"{path}?{mine}"),
            get(f"{path}?{mine}", headers=TABLE, omit=("resourceVersion",)),
            get(f"{one}?includeObject=Object", headers=TABLE),
            get(f"{one}?includeObject=None", headers=TABLE),
            get(one, headers=PARTIAL),
            get(f"{path}?{mine}", headers=PARTIALS),
            get(f"{path}?fieldSelector=metadata.name={name}&{mine}&limit=1"),
            get(f"{path}?fieldSelector=spec.nonsense=1", code=400),
        ],
    )
    yield (
        "patches",
        [
            made,
            patch(one, sample.merge),
            patch(
                one, {"metadata": {"annotations": {"a": "b"}}}, media="strategic", code=(200, 415)
            ),
            patch(
                one, [{"op": "add", "path": "/metadata/labels/new", "value": "1"}], media="patch"
            ),
            patch(one, [{"op": "remove", "path": "/nothing"}], media="patch", code=422),
            patch(f"{one}?fieldValidation=Strict", {"nonsense": 1}, code=422),
            patch(one, {"nonsense": 1}),
            get(one),
        ],
    )
    yield (
        "what may not change",
        [
            made,
            *(patch(one, wrong, code=(400, 422, 500)) for wrong in sample.refused),
            get(one),
        ],
    )
    yield "apply", [
        patch(f"{one}?fieldManager=x", whole, media="apply", code=201),
        patch(f"{one}?fieldManager=x", whole, media="apply"),
        patch(f"{one}?fieldManager=y",
              {**whole, "metadata": {"name": name, "labels": {"mine": "2"}}},
              media="apply", code=409),
        patch(f"{one}?fieldManager=y&force=true",
              {**whole, "metadata": {"name": name, "labels": {"mine": "2"}}}, media="apply"),
        get(one),
    ]  # fmt: skip
    yield (
        "update",
        [
            made,
            put(one, {**whole, "metadata": {"name": name, "resourceVersion": "{version}"}}),
            put(one, {**whole, "metadata": {"name": name, "resourceVersion": "1"}}, code=409),
            put(f"{one}-none", _named(sample, name + "-none"), code=(404, 422, 201)),
            put(one, {**whole, "metadata": {"name": "other"}}, code=400),
            delete(f"{one}-none", code=(200, 404)),
        ],
    )
    if sample.status:
        yield (
            "status",
            [
                made,
                patch(f"{one}/status", sample.status),
                get(f"{one}/status"),
                patch(one, {"status": None}),
                put(f"{one}/status", whole, code=(200, 409, 422)),
                get(one),
            ],
        )
    else:
        yield "no status", [made, get(f"{one}/status", code=404),
                            patch(f"{one}/status", {}, code=404)]  # fmt: skip
    yield (
        "delete",
        [
            made,
            patch(one, {"metadata": {"finalizers": [_HOLD]}}),
            delete(f"{one}?dryRun=All"),
            delete(one),
            patch(one, {"metadata": {"labels": {"late": "1"}}}),
            patch(one, {"metadata": {"finalizers": None}}),
            get(one, code=404, within=10),
            delete(one, code=404),
        ],
    )
    if sample.kind != "Namespace":
        yield "delete many", [made, delete(f"{path}?{mine}&dryRun=All"), delete(f"{path}?{mine}"),
                              get(f"{path}?{mine}")]  # fmt: skip
    yield (
        "watch",
        [
            made,
            patch(one, {"metadata": {"labels": {"l": "2"}}}),
            get(f"{path}?watch=1&timeoutSeconds=1&resourceVersion={{version}}&{mine}", frames=[]),
            get(f"{path}?watch=1&timeoutSeconds=1&{mine}", frames=[], headers=TABLE),
        ],
    )


def _without(step: Step, omit: Sequence[str]) -> Step:
    return structs.replace(step, omit=(*step.omit, *omit)) if omit else step


_MOVING = ("status", "delete", "delete many", "watch", "update")
"""What cannot be compared as a whole of objects that controllers write at any time."""

SCENARIOS = {
    f"{sample.version} {sample.kind}: {verb}": [
        *(_without(step, sample.omit) for step in steps),
        *_cleared(sample),
    ]
    for sample in SAMPLES
    for verb, steps in _questions(sample)
    if not sample.omit or verb not in _MOVING
    if (sample.kind, verb) != ("Node", "apply")  # controllers own its taints within a second
}
