"""A custom kind in several versions: any may be written and read, one is stored."""

from __future__ import annotations

from tests.conformance.scenario import delete, get, patch, post, put

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
GROUP = "{ns}.example.com"
OLD = f"/apis/{GROUP}/v1beta1/namespaces/{{ns}}/cups"
NEW = f"/apis/{GROUP}/v1/namespaces/{{ns}}/cups"


def _version(name, **more):
    spec = {
        "type": "object",
        "properties": {"size": {"type": "integer"}, "color": {"type": "string"}},
    }
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    return {"name": name, "served": True, "storage": name == "v1", "schema": schema, **more}


_CRD = {
    "metadata": {"name": f"cups.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": "cups", "kind": "Cup"},
        "versions": [_version("v1beta1", deprecated=True), _version("v1"), _version("v2alpha1")],
    },
}


def _cup(version, name, **spec):
    return {
        "apiVersion": f"{GROUP}/{version}",
        "kind": "Cup",
        "metadata": {"name": name},
        "spec": spec,
    }


_DEPRECATED = f'299 - "{GROUP}/v1beta1 Cup is deprecated; use {GROUP}/v1 Cup"'

SCENARIOS = {
    "several versions of a kind": [
        post(CRDS, _CRD, see={"spec": {"conversion": {"strategy": "None"}}}),
        get(
            f"{CRDS}/cups.{GROUP}",
            within=10,
            see={
                "status": {
                    "storedVersions": ["v1"],
                    "conditions": [{"type": "NamesAccepted"}, {"status": "True"}],
                }
            },
        ),
        get(
            f"/apis/{GROUP}",
            within=10,
            see={
                "preferredVersion": {"version": "v1"},
                "versions": [
                    {"version": "v1"},
                    {"version": "v1beta1"},
                    {"version": "v2alpha1"},
                ],
            },
        ),
        get(NEW, within=10),
        post(
            OLD,
            _cup("v1beta1", "a", size=1),
            see={"apiVersion": f"{GROUP}/v1beta1", "spec": {"size": 1}},
            warning=_DEPRECATED,
        ),
        get(
            NEW + "/a",
            see={"apiVersion": f"{GROUP}/v1", "metadata": {"generation": 1}},
        ),
        put(
            f"/apis/{GROUP}/v2alpha1/namespaces/{{ns}}/cups/a",
            {**_cup("v2alpha1", "a", size=2), "metadata": {"name": "a"}},
            code=422,
        ),
        patch(
            f"/apis/{GROUP}/v2alpha1/namespaces/{{ns}}/cups/a",
            {"spec": {"color": "blue"}},
            see={
                "apiVersion": f"{GROUP}/v2alpha1",
                "spec": {"size": 1, "color": "blue"},
                "metadata": {"generation": 2},
            },
        ),
        get(
            OLD,
            see={
                "apiVersion": f"{GROUP}/v1beta1",
                "kind": "CupList",
                "items": [{"apiVersion": f"{GROUP}/v1beta1", "spec": {"color": "blue"}}],
            },
        ),
        post(NEW, _cup("v1beta1", "b"), code=400),
        get(
            OLD,
            headers={"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"},
            see={"rows": [{"cells": ["a", "<any>"]}]},
        ),
        delete(OLD + "/a", see={"status": "Success", "details": {"kind": "cups"}}),
        get(NEW + "/a", code=404),
        delete(f"{CRDS}/cups.{GROUP}"),
    ],
}
