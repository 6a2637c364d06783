"""Custom resources: definitions, pruning, defaults, checks, status and scale."""

from __future__ import annotations

from tests.conformance.scenario import Step, delete, get, patch, post, put

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
GROUP = "{ns}.example.com"
CRD = CRDS + "/things." + GROUP
THINGS = "/apis/" + GROUP + "/v1/namespaces/{ns}/things"
THING = THINGS + "/a"

_SPEC = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1, "maximum": 9},
        "color": {"type": "string", "default": "red", "enum": ["red", "blue"]},
        "replicas": {"type": "integer"},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
    "x-kubernetes-validations": [
        {"rule": "self.color != 'blue' || self.size > 1", "message": "blue things are big"}
    ],
}
_VERSION = {
    "name": "v1",
    "served": True,
    "storage": True,
    "schema": {
        "openAPIV3Schema": {
            "type": "object",
            "properties": {
                "spec": _SPEC,
                "status": {
                    "type": "object",
                    "properties": {"phase": {"type": "string"}, "replicas": {"type": "integer"}},
                },
            },
        }
    },
    "subresources": {
        "status": {},
        "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
    },
    "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
}
MADE: tuple[Step, ...] = (
    post(
        CRDS,
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "things." + GROUP},
            "spec": {
                "group": GROUP,
                "scope": "Namespaced",
                "names": {"plural": "things", "singular": "thing", "kind": "Thing"},
                "versions": [_VERSION],
            },
        },
    ),
    get("/apis/" + GROUP + "/v1", within=20, see={"resources": ["<any>", "<any>", "<any>"]}),
    get(THINGS, within=20),
)
DONE = delete(CRD)


def _thing(**spec: object) -> dict[str, object]:
    head = {"apiVersion": GROUP + "/v1", "kind": "Thing"}
    return {**head, "metadata": {"name": "a"}, "spec": {"size": 1, **spec}}


def _told(version: str, **status: object) -> dict[str, object]:
    """A status alone, as it was decided on a version."""
    meta = {"name": "a", **({"resourceVersion": version} if version else {})}
    return {"apiVersion": GROUP + "/v1", "kind": "Thing", "metadata": meta, "status": status}


SCENARIOS = {
    "objects of a definition": [
        *MADE,
        post(
            THINGS,
            _thing(nope=1, free={"any": "thing"}),
            warning='299 - "unknown field \\"spec.nope\\""',
            see={
                "kind": "Thing",
                "metadata": {"generation": 1},
                "spec": {"size": 1, "color": "red", "nope": "<absent>", "free": {"any": "thing"}},
            },
        ),
        get(THINGS, see={"kind": "ThingList", "items": [{"kind": "Thing"}]}),
        patch(
            THING,
            {"spec": {"size": 2}},
            see={"metadata": {"generation": 2}, "spec": {"size": 2, "color": "red"}},
        ),
        patch(THING, {"metadata": {"labels": {"a": "b"}}}, see={"metadata": {"generation": 2}}),
        delete(THING, see={"status": "Success"}),
        DONE,
    ],
    "checks": [
        *MADE,
        post(
            THINGS,
            _thing(size=10),
            code=422,
            message='Thing.{ns}.example.com "a" is invalid: spec.size: Invalid value: 10: '
            "spec.size in body should be less than or equal to 9",
        ),
        post(
            THINGS,
            {"metadata": {"name": "a"}, "spec": {}, "kind": "Thing", "apiVersion": GROUP + "/v1"},
            code=422,
            message="~.*spec.size: Required value.*",
        ),
        post(THINGS, _thing(color="green"), code=422, message='~.*Unsupported value: "green".*'),
        post(THINGS, _thing(color="blue"), code=422, message="~.*blue things are big.*"),
        post(THINGS, _thing(size="x"), code=422, message="~.*must be of type integer.*"),
        post(
            THINGS + "?fieldValidation=Strict",
            _thing(nope=1),
            code=400,
            message='~.*strict decoding error: unknown field "spec.nope"',
        ),
        DONE,
    ],
    "status is apart": [
        *MADE,
        post(THINGS, {**_thing(), "status": {"phase": "X"}}, see={"status": "<absent>"}),
        patch(
            THING + "/status",
            {"status": {"phase": "Y"}, "spec": {"size": 5}, "metadata": {"labels": {"a": "b"}}},
            see={
                "status": {"phase": "Y"},
                "spec": {"size": 1},
                "metadata": {"generation": 1, "labels": "<absent>"},
            },
        ),
        patch(THING, {"status": {"phase": "Z"}}, see={"status": {"phase": "Y"}}),
        DONE,
    ],
    "a status is replaced without the rest of the object": [
        *MADE,
        patch(
            THING + "?fieldManager=maker",
            _thing(),
            media="apply",
            code=201,
            save={"v1": "metadata.resourceVersion"},
        ),
        put(
            THING + "/status?fieldManager=teller",
            _told("{v1}", phase="X", replicas=2),
            save={"v2": "metadata.resourceVersion"},
            see={
                "spec": {"size": 1, "color": "red"},
                "status": {"phase": "X", "replicas": 2},
                "metadata": {"generation": 1},
            },
        ),
        put(
            THING + "/status?fieldManager=teller",
            _told("{v2}", phase="Y"),
            see={"status": {"phase": "Y", "replicas": "<absent>"}, "spec": {"size": 1}},
        ),
        put(THING + "/status", _told("{v1}", phase="Z"), code=409, message="~.*modified.*"),
        put(
            THING + "/status",
            _told("", phase="Z"),
            code=422,
            message="~.*resourceVersion: Invalid value: 0: must be specified for an update",
        ),
        patch(
            THING + "?fieldManager=other",
            _thing(size=2),
            media="apply",
            code=409,
            message='~.*conflict with "maker".*',
        ),
        DONE,
    ],
    "scale": [
        *MADE,
        post(THINGS, _thing(replicas=1)),
        get(
            THING + "/scale",
            see={
                "kind": "Scale",
                "apiVersion": "autoscaling/v1",
                "metadata": {"name": "a", "namespace": "{ns}"},
                "spec": {"replicas": 1},
                "status": {"replicas": 0},
            },
        ),
        patch(THING + "/scale", {"spec": {"replicas": 3}}, see={"spec": {"replicas": 3}}),
        get(THING, see={"spec": {"replicas": 3}, "metadata": {"generation": 2}}),
        DONE,
    ],
    "tables and patches": [
        *MADE,
        post(THINGS, _thing()),
        get(
            THINGS,
            headers={"accept": "application/json;as=Table;g=meta.k8s.io;v=v1"},
            see={
                "columnDefinitions": [{"name": "Name"}, {"name": "Size", "type": "integer"}],
                "rows": [{"cells": ["a", 1]}],
            },
        ),
        patch(THING, {}, media="strategic", code=415),
        put(
            THING,
            _thing(),
            code=422,
            message="~.*metadata.resourceVersion: Invalid value: .*must be specified for an update",
        ),
        patch(
            THING + "?fieldManager=me&force=true",
            _thing(size=4),
            media="apply",
            see={"spec": {"size": 4}},
        ),
        DONE,
    ],
    "objects go with their definition": [
        *MADE,
        post(THINGS, _thing()),
        DONE,
        get(CRD, code=404, within=20),
        get(THINGS, code=404, within=20),
    ],
}
