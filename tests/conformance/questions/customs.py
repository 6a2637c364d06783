"""Objects of custom kinds: validation in words, pruning, defaults, list types, rules, tables.

The definitions are made once; each scenario writes in its own namespace.
"""

from __future__ import annotations

from typing import Any

from tests.conformance.scenario import Step, delete, get, patch, post, put

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
GROUP = "parity.example.com"
BASE = f"/apis/{GROUP}/v1/namespaces/{{ns}}"
TABLE = {"accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}


def _definition(kind: str, spec: Any, **version: Any) -> Step:
    plural = kind.lower() + "s"
    schema = {"type": "object", "properties": {"spec": spec, "status": {
        "type": "object", "x-kubernetes-preserve-unknown-fields": True}}}  # fmt: skip
    served = {"name": "v1", "served": True, "storage": True,
              "schema": {"openAPIV3Schema": schema}, **version}  # fmt: skip
    return post(CRDS, {"metadata": {"name": f"{plural}.{GROUP}"}, "spec": {
        "group": GROUP, "scope": "Namespaced", "names": {"plural": plural, "kind": kind},
        "versions": [served]}}, code=(201, 409))  # fmt: skip


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


_TEXT, _NUMBER = {"type": "string"}, {"type": "integer"}
_ITEM = {**_object(name=_TEXT, value=_NUMBER), "required": ["name"]}
_BOUNDS = _object(
    text={"type": "string", "minLength": 2, "maxLength": 4, "pattern": "^[a-z]+$"},
    word={"type": "string", "enum": ["a", "b"]},
    number={"type": "integer", "minimum": 1, "maximum": 9, "multipleOf": 2},
    open={"type": "number", "minimum": 0, "exclusiveMinimum": True},
    items={"type": "array", "minItems": 1, "maxItems": 2, "items": _TEXT},
    map={"type": "object", "minProperties": 1, "maxProperties": 2, "additionalProperties": _NUMBER},
    maybe={"type": "string", "nullable": True},
    flag={"type": "boolean"},
    either={"x-kubernetes-int-or-string": True},
    needs={**_object(a=_TEXT, b=_TEXT), "required": ["a"]},
    date={"type": "string", "format": "date-time"},
    mail={"type": "string", "format": "email"},
    address={"type": "string", "format": "ipv4"},
    uuid={"type": "string", "format": "uuid"},
    bytes={"type": "string", "format": "byte"},
    small={"type": "integer", "format": "int32"},
    one={**_object(x=_TEXT, y=_TEXT), "oneOf": [{"required": ["x"]}, {"required": ["y"]}]},
    any={**_object(x=_TEXT, y=_TEXT), "anyOf": [{"required": ["x"]}, {"required": ["y"]}]},
    no={"type": "string", "not": {"enum": ["bad"]}},
)  # fmt: skip
_LISTS = _object(
    set={"type": "array", "items": _TEXT, "x-kubernetes-list-type": "set"},
    map={"type": "array", "items": _ITEM, "x-kubernetes-list-type": "map",
         "x-kubernetes-list-map-keys": ["name"]},
    atomic={"type": "array", "items": _TEXT, "x-kubernetes-list-type": "atomic"},
    whole={**_object(a=_TEXT, b=_TEXT), "x-kubernetes-map-type": "atomic"},
    plain={"type": "object", "additionalProperties": _TEXT},
)  # fmt: skip
_FILLED = _object(
    word={"type": "string", "default": "x"},
    inner={"type": "object", "default": {}, "properties": {"n": {"type": "integer", "default": 3}}},
    bare={"type": "object", "properties": {"n": {"type": "integer", "default": 4}}},
    list={"type": "array", "items": {"type": "object", "properties": {
        "k": {"type": "string", "default": "v"}, "name": _TEXT}}},
    map={"type": "object", "additionalProperties": {"type": "object", "properties": {
        "k": {"type": "string", "default": "w"}}}},
    maybe={"type": "string", "nullable": True, "default": "z"},
    free={"type": "object", "x-kubernetes-preserve-unknown-fields": True,
          "properties": {"known": _object(a=_TEXT)}},
    embedded={"type": "object", "x-kubernetes-embedded-resource": True,
              "x-kubernetes-preserve-unknown-fields": True},
)  # fmt: skip
_RULED: dict[str, Any] = {
    **_object(
        n=_NUMBER, m=_NUMBER, s={"type": "string", "maxLength": 20},
        fixed={"type": "string", "x-kubernetes-validations": [
            {"rule": "self == oldSelf", "message": "fixed is immutable"}]},
        l={"type": "array", "maxItems": 5, "items": {"type": "string", "maxLength": 10,
           "x-kubernetes-validations": [{"rule": "self != 'bad'", "message": "not bad"}]}},
        map={"type": "array", "maxItems": 5, "items": _ITEM, "x-kubernetes-list-type": "map",
             "x-kubernetes-list-map-keys": ["name"], "x-kubernetes-validations": [
                 {"rule": "self.all(x, x.value > 0)", "message": "values are positive"}]},
        time={"type": "string", "format": "date-time", "x-kubernetes-validations": [
            {"rule": "self > timestamp('2020-01-01T00:00:00Z')", "message": "too old"}]},
        either={"x-kubernetes-int-or-string": True, "x-kubernetes-validations": [
            {"rule": "type(self) == string || self > 1", "message": "more than one"}]},
        f={"type": "number", "x-kubernetes-validations": [{"rule": "self < 1.5"}]},
        q={"type": "string", "maxLength": 20, "x-kubernetes-validations": [
            {"rule": "quantity(self).compareTo(quantity('1Gi')) <= 0", "message": "at most 1Gi"}]},
    ),
    "x-kubernetes-validations": [
        {"rule": "!has(self.n) || !has(self.m) || self.n < self.m", "message": "n is below m"},
        {"rule": "!has(self.s) || self.s.startsWith('a')", "fieldPath": ".s",
         "messageExpression": "'s is ' + self.s", "reason": "FieldValueForbidden"},
        {"rule": "!has(oldSelf.n) || has(self.n)", "message": "n stays"},
        {"rule": "!has(self.n) || 10 / self.n > 0", "message": "n divides"},
    ],
}  # fmt: skip
_SHOWN = _object(n=_NUMBER, s=_TEXT, when={"type": "string", "format": "date-time"}, list={
    "type": "array", "items": _ITEM}, replicas=_NUMBER)  # fmt: skip

STAGE = [
    _definition("Bound", _BOUNDS),
    _definition("Listed", _LISTS),
    _definition("Filled", _FILLED),
    _definition("Ruled", _RULED),
    _definition(
        "Shown", _SHOWN, selectableFields=[{"jsonPath": ".spec.s"}],
        subresources={"status": {}, "scale": {
            "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector"}},
        additionalPrinterColumns=[
            {"name": "N", "type": "integer", "jsonPath": ".spec.n"},
            {"name": "Text", "type": "string", "jsonPath": ".spec.s", "priority": 1,
             "description": "a text"},
            {"name": "When", "type": "date", "jsonPath": ".spec.when"},
            {"name": "First", "type": "string", "jsonPath": ".spec.list[0].name"},
            {"name": "Names", "type": "string", "jsonPath": ".spec.list[*].name"},
            {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}],
    ),
    *(get(f"/apis/{GROUP}/v1/{kind}", within=30)
      for kind in ("bounds", "listeds", "filleds", "ruleds", "showns")),
]  # fmt: skip


def _made(kind: str, name: str = "a", code: Any = (201, 422), query: str = "", **spec: Any) -> Step:
    body = {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
    return post(f"{BASE}/{kind.lower()}s{query}", body, code=code)


def _dry(kind: str, **spec: Any) -> Step:
    return _made(kind, query="?dryRun=All", **spec)


def _changed(kind: str, spec: Any, **more: Any) -> Step:
    return patch(f"{BASE}/{kind.lower()}s/a", {"spec": spec}, **{"code": (200, 422), **more})


def _applied(kind: str, manager: str, spec: Any, query: str = "", code: Any = 200) -> Step:
    body = {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": {"name": "a"}, "spec": spec}
    path = f"{BASE}/{kind.lower()}s/a?fieldManager={manager}{query}"
    return patch(path, body, media="apply", code=code)


SCENARIOS = {
    "texts": [_dry("Bound", text="a"), _dry("Bound", text="abcde"), _dry("Bound", text="A1"),
              _dry("Bound", text=1), _dry("Bound", text=None), _dry("Bound", word="c"),
              _dry("Bound", no="bad"), _dry("Bound", text="ab", word="a")],
    "numbers": [_dry("Bound", number=0), _dry("Bound", number=10), _dry("Bound", number=3),
                _dry("Bound", number=1.5), _dry("Bound", number="2"), _dry("Bound", open=0),
                _dry("Bound", open=0.1), _dry("Bound", small=2**31), _dry("Bound", number=2.0),
                _dry("Bound", number=2**40), _dry("Bound", flag="true"), _dry("Bound", flag=True)],
    "lists and maps": [_dry("Bound", items=[]), _dry("Bound", items=["a", "b", "c"]),
                       _dry("Bound", items=[1]), _dry("Bound", items=["a", None]),
                       _dry("Bound", items={}), _dry("Bound", map={}),
                       _dry("Bound", map={"a": 1, "b": 2, "c": 3}), _dry("Bound", map={"a": "x"}),
                       _dry("Bound", map=[])],
    "nulls": [_dry("Bound", maybe=None), _dry("Bound", needs=None), _dry("Bound", items=None),
              _dry("Bound", needs={"a": None}), _dry("Bound", needs={"b": "x"})],
    "formats": [_dry("Bound", date="2026"), _dry("Bound", date="2026-01-01T00:00:00Z"),
                _dry("Bound", mail="x"), _dry("Bound", address="1.2.3"), _dry("Bound", uuid="x"),
                _dry("Bound", bytes="!"), _dry("Bound", mail="a@b.c", address="1.2.3.4",
                                               uuid="aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa",
                                               bytes="eA==")],
    "alternatives": [_dry("Bound", one={}), _dry("Bound", one={"x": "1", "y": "1"}),
                     _dry("Bound", one={"x": "1"}), _dry("Bound", any={}),
                     _dry("Bound", any={"x": "1", "y": "2"}), _dry("Bound", either=1),
                     _dry("Bound", either="1"), _dry("Bound", either=1.5),
                     _dry("Bound", either=[])],
    "a whole object that is wrong": [
        post(f"{BASE}/bounds", {"apiVersion": f"{GROUP}/v1", "kind": "Bound", "metadata": {
            "name": "a"}, "spec": "x"}, code=422),
        post(f"{BASE}/bounds", {"apiVersion": f"{GROUP}/v1", "kind": "Bound",
                                "metadata": {"name": "A"}}, code=422),
        post(f"{BASE}/bounds", {"metadata": {"name": "a"}}, code=(201, 400)),
        post(f"{BASE}/bounds", {"apiVersion": f"{GROUP}/v2", "kind": "Bound",
                                "metadata": {"name": "a"}}, code=400),
        post(f"{BASE}/bounds", {"apiVersion": f"{GROUP}/v1", "kind": "Other",
                                "metadata": {"name": "a"}}, code=400),
        post(f"{BASE}/bounds", {"apiVersion": f"{GROUP}/v1", "kind": "Bound", "metadata": {
            "name": "a", "labels": {"a": 1}}}, code=(400, 422)),
        post(f"{BASE}/bounds", {"apiVersion": f"{GROUP}/v1", "kind": "Bound", "metadata": "x"},
             code=(400, 422)),
        post(f"{BASE}/bounds", b"[]", code=400),
        post(f"{BASE}/bounds", {"apiVersion": f"{GROUP}/v1", "kind": "Bound", "metadata": {
            "generateName": "g-"}}),
        post(f"{BASE}/bounds", {"apiVersion": f"{GROUP}/v1", "kind": "Bound", "metadata": {
            "name": "n", "unknown": 1}}),
    ],
    "unknown fields": [
        _made("Bound", nope=1, needs={"a": "1", "nope": 2}),
        _made("Bound", "b", code=400, query="?fieldValidation=Strict", nope=1, needs={
            "a": "1", "nope": 2}),
        _made("Bound", "c", query="?fieldValidation=Ignore", nope=1),
        post(f"{BASE}/bounds?fieldValidation=Strict", b'{"apiVersion":"parity.example.com/v1",'
             b'"kind":"Bound","metadata":{"name":"d"},"spec":{"text":"ab","text":"ab"},"top":1}',
             code=400),
        _changed("Bound", {"nope": 1}),
        _changed("Bound", {"nope": 1}, media="merge", code=(200, 422)),
        patch(f"{BASE}/bounds/a?fieldValidation=Strict", {"spec": {"nope": 1}}, code=(400, 422)),
    ],
    "sets": [_made("Listed", set=["a", "b"]), _dry("Listed", set=["a", "a"]),
             _changed("Listed", {"set": ["c", "c"]}),
             _applied("Listed", "x", {"set": ["z"]}), _applied("Listed", "x", {}),
             _applied("Listed", "x", {"set": ["q", "q"]}, code=(400, 422, 500))],
    "maps by key": [
        _made("Listed", map=[{"name": "a", "value": 1}, {"name": "b"}]),
        _dry("Listed", map=[{"name": "a"}, {"name": "a"}]),
        _dry("Listed", map=[{"value": 1}]),
        _applied("Listed", "x", {"map": [{"name": "b", "value": 2}, {"name": "c"}]}),
        _applied("Listed", "y", {"map": [{"name": "b", "value": 3}]}, code=409),
        _applied("Listed", "x", {"map": [{"name": "c"}]}),
        get(f"{BASE}/listeds/a"),
    ],
    "atomic lists and maps": [
        _applied("Listed", "x", {"atomic": ["a", "b"], "whole": {"a": "1"}}, code=201),
        _applied("Listed", "y", {"atomic": ["a"]}, code=409),
        _applied("Listed", "y", {"whole": {"b": "1"}}, code=409),
        _applied("Listed", "y", {"atomic": ["c"], "whole": {"b": "2"}}, "&force=true"),
        _applied("Listed", "x", {"plain": {"a": "1"}}),
        _applied("Listed", "z", {"plain": {"b": "1"}}),
        get(f"{BASE}/listeds/a"),
    ],
    "defaults": [_made("Filled"), _made("Filled", "b", inner={}, bare={}, list=[{}, {"name": "x"}],
                                        map={"a": {}}, maybe=None),
                 _changed("Filled", {"word": None, "inner": {"n": None}}),
                 _made("Filled", "c", word=None, inner=None), get(f"{BASE}/filleds")],
    "what is kept": [_made("Filled", free={"any": [1, {"x": None}], "known": {"a": "1", "b": 2}}),
                     _changed("Filled", {"free": {"more": True}})],
    "embedded objects": [
        _made("Filled", embedded={"apiVersion": "v1", "kind": "Pod", "metadata": {
            "name": "x", "labels": {"a": "b"}, "unknown": 1}, "spec": {"x": 1}}),
        _dry("Filled", embedded={"kind": "Pod"}),
        _dry("Filled", embedded={"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "A_"}}),
        _dry("Filled", embedded={"apiVersion": "v1", "kind": "Pod", "metadata": 1}),
    ],
    "rules at creation": [_dry("Ruled", n=3, m=2), _dry("Ruled", s="b"), _dry("Ruled", l=["bad"]),
                          _dry("Ruled", l=["a", "bad", "bad"]), _dry("Ruled", n=0, m=1),
                          _dry("Ruled", map=[{"name": "a", "value": -1}]),
                          _dry("Ruled", map=[{"name": "a"}]),
                          _dry("Ruled", time="2019-01-01T00:00:00Z"), _dry("Ruled", either=1),
                          _dry("Ruled", either="1"), _dry("Ruled", f=2.5), _dry("Ruled", f=1),
                          _dry("Ruled", q="2Gi"), _dry("Ruled", q="nonsense"),
                          _dry("Ruled", n="x"), _dry("Ruled", n=3, m=2, s="b", l=["bad"])],
    "rules at updates": [
        _made("Ruled", n=1, m=5, fixed="a"),
        _changed("Ruled", {"fixed": "b"}), _changed("Ruled", {"n": None}),
        _changed("Ruled", {"fixed": None}), _changed("Ruled", {"n": 7}),
        _changed("Ruled", {"fixed": "c"}), get(f"{BASE}/ruleds/a")],
    "columns": [
        _made("Shown", n=1, s="x", when="2020-01-01T00:00:00Z", list=[{"name": "p"},
                                                                      {"name": "q"}]),
        _made("Shown", "b"),
        get(f"{BASE}/showns", headers=TABLE, omit=("resourceVersion",)),
        get(f"{BASE}/showns/a", headers=TABLE),
        get(f"{BASE}/showns?includeObject=Object", headers=TABLE, omit=("resourceVersion",)),
    ],
    "fields that select": [
        _made("Shown", s="x"), _made("Shown", "b", s="y"), _made("Shown", "c"),
        get(f"{BASE}/showns?fieldSelector=spec.s=x"),
        get(f"{BASE}/showns?fieldSelector=spec.s!=x"),
        get(f"{BASE}/showns?fieldSelector=spec.s="),
        get(f"{BASE}/showns?fieldSelector=spec.n=1", code=400),
        get(f"{BASE}/showns?fieldSelector=metadata.name=b,spec.s=y"),
        delete(f"{BASE}/showns?fieldSelector=spec.s=x"),
        get(f"{BASE}/showns"),
    ],
    "scales": [
        _made("Shown", replicas=2),
        get(f"{BASE}/showns/a/scale"),
        patch(f"{BASE}/showns/a/status", {"status": {"replicas": 1, "selector": "a=b"}}),
        get(f"{BASE}/showns/a/scale"),
        patch(f"{BASE}/showns/a/scale", {"spec": {"replicas": 5}}),
        patch(f"{BASE}/showns/a/scale", {"spec": {"replicas": -1}}, code=422),
        patch(f"{BASE}/showns/a/scale", {"spec": {"replicas": "x"}}, code=(400, 422)),
        patch(f"{BASE}/showns/a/scale", [{"op": "replace", "path": "/spec/replicas", "value": 3}],
              media="patch"),
        put(f"{BASE}/showns/a/scale", {"metadata": {"name": "a", "namespace": "{ns}"},
                                       "spec": {"replicas": 7}}),
        put(f"{BASE}/showns/a/scale", {"metadata": {"name": "a", "resourceVersion": "1"},
                                       "spec": {"replicas": 8}}, code=409),
        get(f"{BASE}/showns/none/scale", code=404),
        _made("Shown", "b"),
        get(f"{BASE}/showns/b/scale"),
        get(f"{BASE}/showns/a"),
    ],
    "a status apart": [
        _made("Shown", n=1),
        patch(f"{BASE}/showns/a/status", {"status": {"a": 1}, "spec": {"n": 2}}),
        patch(f"{BASE}/showns/a", {"status": {"a": 2}, "spec": {"n": 3}}),
        put(f"{BASE}/showns/a/status", {"apiVersion": f"{GROUP}/v1", "kind": "Shown",
                                        "metadata": {"name": "a"}, "status": {"b": 1}},
            code=(200, 422)),
        patch(f"{BASE}/showns/a/status", {"metadata": {
            "labels": {"a": "b"}, "finalizers": ["x/y"]}}),
        get(f"{BASE}/bounds/a/status", code=404),
        _applied("Shown", "x", {"n": 3}),
        patch(f"{BASE}/showns/a/status?fieldManager=s", {
            "apiVersion": f"{GROUP}/v1", "kind": "Shown", "metadata": {"name": "a"},
            "status": {"c": 1}}, media="apply"),
        patch(f"{BASE}/showns/a", {"metadata": {"finalizers": None}}),
        get(f"{BASE}/showns/a"),
    ],
    "updates need a version": [
        _made("Shown", n=1),
        put(f"{BASE}/showns/a", {"apiVersion": f"{GROUP}/v1", "kind": "Shown",
                                 "metadata": {"name": "a"}}, code=422),
        put(f"{BASE}/showns/a", {"apiVersion": f"{GROUP}/v1", "kind": "Shown",
                                 "metadata": {"name": "a", "resourceVersion": "1"}}, code=409),
        put(f"{BASE}/showns/none", {"apiVersion": f"{GROUP}/v1", "kind": "Shown",
                                    "metadata": {"name": "none", "resourceVersion": "1"}},
            code=(404, 409)),
        patch(f"{BASE}/showns/a", {"spec": {"n": 2}}, media="strategic", code=415),
        patch(f"{BASE}/showns/a", [{"op": "add", "path": "/spec/s", "value": "q"}], media="patch"),
        patch(f"{BASE}/showns/a", [{"op": "add", "path": "/spec/n", "value": "q"}], media="patch",
              code=422),
        delete(f"{BASE}/showns/a", {"propagationPolicy": "Foreground"}),
        get(f"{BASE}/showns/a", code=404, within=90),
    ],
    "a custom kind's discovery": [
        get(f"/apis/{GROUP}"),
        get(f"/apis/{GROUP}/v2", code=404),
        get(f"/apis/{GROUP}/v1/nones", code=404),
    ],
}  # fmt: skip
