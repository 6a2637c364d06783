"""CustomResourceDefinitions as objects: what is refused of one, and how it is completed."""

from __future__ import annotations

from typing import Any

from tests.conformance.scenario import Step, delete, get, patch, post

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
GROUP = "{ns}.example.com"


def _crd(schema: Any = None, names: Any = None, version: Any = None, **spec: Any) -> dict[str, Any]:
    versions = [{"name": "v1", "served": True, "storage": True, "schema": {
        "openAPIV3Schema": {"type": "object", **(schema or {})}}, **(version or {})}]  # fmt: skip
    names = {"plural": "as", "kind": "A", **(names or {})}
    spec = {"group": GROUP, "scope": "Namespaced", "names": names, "versions": versions, **spec}
    return {"metadata": {"name": f"as.{GROUP}"}, "spec": spec}


def _ask(*args: Any, **more: Any) -> Step:
    return post(CRDS + "?dryRun=All", _crd(*args, **more), code=(201, 400, 422))


def _field(**schema: Any) -> Step:
    """A definition with one field of a schema."""
    return _ask({"properties": {"spec": {"type": "object", "properties": {"a": schema}}}})


def _rule(rule: str, of: Any = None, **more: Any) -> Step:
    """A definition with one rule over a small object."""
    of = of or {"type": "object", "properties": {
        "n": {"type": "integer"}, "s": {"type": "string"}, "b": {"type": "boolean"},
        "l": {"type": "array", "maxItems": 10, "items": {"type": "string", "maxLength": 10}},
        "m": {"type": "object", "maxProperties": 10,
              "additionalProperties": {"type": "string", "maxLength": 10}}}}  # fmt: skip
    return _ask({"properties": {"spec": {**of, "x-kubernetes-validations": [
        {"rule": rule, **more}]}}})  # fmt: skip


SCENARIOS = {
    "defaults of a definition": [_ask(), _ask(names={"singular": "one", "listKind": "Many",
                                                     "shortNames": ["x"], "categories": ["all"]})],
    "names of a definition": [
        post(CRDS, {**_crd(), "metadata": {"name": "other"}}, code=422),
        _ask(names={"plural": "As"}),
        _ask(names={"kind": "a b"}),
        _ask(names={"shortNames": ["A"]}),
        _ask(names={"categories": ["A"]}),
        _ask(names={"listKind": "a b", "singular": "A"}),
        _ask(names={"plural": ""}),
        _ask(names={"kind": ""}),
        _ask(group="nodots"),
        _ask(group=""),
        _ask(scope="World"),
        _ask(scope=""),
    ],
    "versions of a definition": [
        _ask(version={"name": "V1"}),
        _ask(version={"name": ""}),
        _ask(version={"storage": False}),
        _ask(versions=[]),
        _ask(versions=[{"name": v, "served": True, "storage": True, "schema": {
            "openAPIV3Schema": {"type": "object"}}} for v in ("v1", "v2")]),
        _ask(versions=[{"name": "v1", "served": True, "storage": s, "schema": {
            "openAPIV3Schema": {"type": "object"}}} for s in (True, False)]),
        _ask(version={"schema": {}}),
        _ask(version={"schema": None}),
        _ask(version={"schema": {"openAPIV3Schema": {}}}),
        _ask(version={"deprecationWarning": "x"}),
        _ask(version={"deprecated": True, "deprecationWarning": "x" * 257}),
        _ask(preserveUnknownFields=True),
        _ask(conversion={"strategy": "Magic"}),
        _ask(conversion={"strategy": "None", "webhook": {"conversionReviewVersions": ["v1"]}}),
    ],
    "types of a schema": [
        _field(),
        _field(type="thing"),
        _field(type="array"),
        _field(type="array", items=[{"type": "string"}]),
        _field(type="string", nullable=True),
        _field(type="object", additionalProperties=True),
        _field(type="object", additionalProperties={"type": "string"},
               properties={"a": {"type": "string"}}),
        _field(type="string", **{"$ref": "#/definitions/x"}),
        _field(**{"x-kubernetes-int-or-string": True}),
        _field(type="string", **{"x-kubernetes-int-or-string": True}),
        _field(**{"x-kubernetes-int-or-string": True,
                  "anyOf": [{"type": "integer"}, {"type": "string"}]}),
        _field(**{"x-kubernetes-preserve-unknown-fields": True}),
        _field(type="object", **{"x-kubernetes-preserve-unknown-fields": False}),
        _field(type="object", **{"x-kubernetes-embedded-resource": True}),
        _field(type="object", **{"x-kubernetes-embedded-resource": True,
                                 "x-kubernetes-preserve-unknown-fields": True}),
        _field(type="string", **{"x-kubernetes-embedded-resource": True}),
    ],
    "lists and maps of a schema": [
        _field(type="array", items={"type": "string"}, **{"x-kubernetes-list-type": "set"}),
        _field(type="array", items={"type": "string"}, **{"x-kubernetes-list-type": "heap"}),
        _field(type="array", items={"type": "object"}, **{"x-kubernetes-list-type": "set"}),
        _field(type="array", items={"type": "object"}, **{"x-kubernetes-list-type": "map"}),
        _field(type="array", items={"type": "object", "properties": {"k": {"type": "string"}}},
               **{"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]}),
        _field(type="array", items={"type": "object", "required": ["k"],
                                    "properties": {"k": {"type": "string"}}},
               **{"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k", "k"]}),
        _field(type="array", items={"type": "object", "required": ["k"],
                                    "properties": {"k": {"type": "object"}}},
               **{"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]}),
        _field(type="array", items={"type": "object", "required": ["k"],
                                    "properties": {"k": {"type": "string"}}},
               **{"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["q"]}),
        _field(type="string", **{"x-kubernetes-list-type": "set"}),
        _field(type="array", items={"type": "string"}, **{"x-kubernetes-list-map-keys": ["k"]}),
        _field(type="array", items={"type": "string"}, uniqueItems=True),
        _field(type="object", **{"x-kubernetes-map-type": "atomic"}),
        _field(type="object", **{"x-kubernetes-map-type": "odd"}),
        _field(type="string", **{"x-kubernetes-map-type": "atomic"}),
    ],
    "bounds of a schema": [
        _field(type="string", pattern="("),
        _field(type="string", pattern="(?=x)"),
        _field(type="string", minLength=3, maxLength=2),
        _field(type="string", minLength=-1),
        _field(type="integer", minimum=3, maximum=2),
        _field(type="integer", multipleOf=0),
        _field(type="string", enum=["a", "a"]),
        _field(type="string", enum=[]),
        _field(type="string", enum=[1]),
        _field(type="string", format="uuid"),
        _field(type="string", format="nonsense"),
        _field(type="integer", format="int64", exclusiveMinimum=True, minimum=1),
    ],
    "logic of a schema": [
        _field(type="string", allOf=[{"minLength": 2}]),
        _field(type="object", allOf=[{"properties": {"q": {"type": "string"}}}]),
        _field(type="object", anyOf=[{"required": ["x"]}], properties={"x": {"type": "string"}}),
        _field(type="string", **{"not": {"enum": ["a"]}}),
        _field(type="object", oneOf=[{"required": ["x"]}, {"required": ["y"]}],
               properties={"x": {"type": "string"}, "y": {"type": "string"}}),
        _field(type="object", anyOf=[{"properties": {"z": {"minimum": 1}}}]),
        _field(type="string", anyOf=[{"description": "x"}]),
    ],
    "defaults of a schema": [
        _field(type="string", default="x"),
        _field(type="string", default=1),
        _field(type="integer", default=5, maximum=4),
        _field(type="string", default=None),
        _field(type="string", nullable=True, default=None),
        _field(type="object", default={"x": 1}, properties={"x": {"type": "integer"}}),
        _field(type="object", default={"y": 1}, properties={"x": {"type": "integer"}}),
        _field(type="object", default={}, required=["x"], properties={"x": {"type": "integer"}}),
        _ask({"default": {}}),
    ],
    "metadata and status in a schema": [
        _ask({"properties": {"metadata": {"type": "object"}}}),
        _ask({"properties": {"metadata": {"type": "object", "properties": {
            "name": {"type": "string", "maxLength": 5}}}}}),
        _ask({"properties": {"metadata": {"type": "object", "properties": {
            "labels": {"type": "object"}}}}}),
        _ask({"properties": {"apiVersion": {"type": "integer"}}}),
        _ask({"properties": {"kind": {"type": "string", "enum": ["B"]}}}),
        _ask({"required": ["spec"]}),
        _ask({"type": "array", "items": {"type": "string"}}),
    ],
    "columns and subresources of a definition": [
        _ask(version={"additionalPrinterColumns": [{"name": "A", "type": "string",
                                                    "jsonPath": ".spec.a"}]}),
        _ask(version={"additionalPrinterColumns": [{"name": "", "type": "odd",
                                                    "jsonPath": "spec.a"}]}),
        _ask(version={"additionalPrinterColumns": [{"name": "A", "type": "string",
                                                    "jsonPath": ".spec[", "format": "odd"}]}),
        _ask(version={"subresources": {"scale": {}}}),
        _ask(version={"subresources": {"scale": {"specReplicasPath": "spec.x",
                                                 "statusReplicasPath": ".spec.y"}}}),
        _ask(version={"subresources": {"status": {}, "scale": {
            "specReplicasPath": ".spec.n", "statusReplicasPath": ".status.n",
            "labelSelectorPath": ".status.s"}}}),
        _ask(version={"subresources": {"scale": {
            "specReplicasPath": ".spec.n[0]", "statusReplicasPath": ".status.n"}}}),
        _ask({"properties": {"spec": {"type": "object", "properties": {"a": {"type": "string"}}}}},
             version={"selectableFields": [{"jsonPath": ".spec.a"}]}),
        _ask(version={"selectableFields": [{"jsonPath": ".spec.a"}]}),
        _ask({"properties": {"spec": {"type": "object", "properties": {"a": {"type": "object"}}}}},
             version={"selectableFields": [{"jsonPath": ".spec.a"}]}),
        _ask({"properties": {"spec": {"type": "object", "properties": {"a": {"type": "string"}}}}},
             version={"selectableFields": [{"jsonPath": ".spec.a"}] * 2}),
        _ask(version={"selectableFields": [{"jsonPath": ".metadata.name"}]}),
    ],
    "rules that compile": [
        _rule("self.n > 1"),
        _rule("self.s.startsWith('a') && self.l.size() < 3"),
        _rule("self.l.all(x, x.matches('^a'))"),
        _rule("self.m.exists(k, k == self.s)"),
        _rule("has(self.n) ? self.n > 0 : true"),
        _rule("!has(oldSelf.n) || self.n >= oldSelf.n"),
        _rule("self.n in [1, 2, 3]"),
        _rule("self.l.map(x, size(x)).sum() < 100"),
        _rule("quantity(self.s).isGreaterThan(quantity('1'))"),
        _rule("duration('1h') > duration('1m')"),
        _rule("type(self.n) == int"),
        _rule("self.s.lowerAscii() == 'a'"),
        _rule("self.?s.orValue('x') == 'x'"),
        _rule("optional.of(self.s).hasValue()"),
        _rule("self.l.all(i, x, i < 3 || x == 'a')"),
        _rule("self.m.all(k, v, k == v)"),
        _rule("self.m.transformList(k, v, k + v).size() > 0"),
        _rule("sets.contains(self.l, ['a'])"),
        _rule("sets.intersects(self.l, ['a']) && sets.equivalent(self.l, ['a'])"),
        _rule("!format.dns1123Label().validate(self.s).hasValue()"),
        _rule("format.named('uuid').hasValue()"),
        _rule("cel.bind(x, self.n, x > 1 && x < 5)"),
        _rule("'%s is %d'.format([self.s, self.n]) == 'a is 1'"),
        _rule("isSemver(self.s) && semver(self.s).major() > 1"),
        _rule("ip(self.s).family() == 4"),
        _rule("url(self.s).getScheme() == 'https'"),
        _rule("self.l.exists_one(x, x == 'a')"),
        _rule("self.l.filter(x, x != 'a').size() == 0"),
        _rule("self.l.sortBy(x, x) == self.l"),
        _rule("lists.range(3).size() == 3"),
        _rule("self.l.slice(0, 1).size() == 1"),
        _rule("self.l.flatten().size() == 1"),
        _rule("self.l.distinct().size() == 1"),
        _rule("math.greatest(self.n, 3) == 3"),
        _rule("base64.encode(b'x') == 'eA=='"),
    ],
    "rules that do not compile": [
        _rule("self.n >"),
        _rule("self.nope == 1"),
        _rule("self.n == 'a'"),
        _rule("self.n"),
        _rule("nope == 1"),
        _rule("nope(self)"),
        _rule("self.s + 1 == 'a'"),
        _rule("self.l.all(x, x > 1)"),
        _rule(""),
        _rule("self.n > 1.0"),
        _rule("self.s.matches('(')"),
        _rule("1 == 1 && 'a'"),
        _rule("self.b + true"),
        _rule("size(self.n) == 1"),
    ],
    "messages of rules": [
        _rule("self.n > 1", message=""),
        _rule("self.n > 1", message="a\nb"),
        _rule("self.n\n> 1"),
        _rule("self.n\n> 1", message="n must be more"),
        _rule("self.n > 1", messageExpression="'n is ' + string(self.n)"),
        _rule("self.n > 1", messageExpression="self.n"),
        _rule("self.n > 1", messageExpression="'n is ' +"),
        _rule("self.n > 1", reason="FieldValueInvalid"),
        _rule("self.n > 1", reason="Odd"),
        _rule("self.n > 1", fieldPath=".n"),
        _rule("self.n > 1", fieldPath=".nope"),
        _rule("self.n > 1", fieldPath="n"),
        _rule("self.n > oldSelf.n", optionalOldSelf=True),
        _rule("self.n > 1", optionalOldSelf=True),
    ],
    "where rules may stand": [
        _field(type="string", **{"x-kubernetes-validations": [{"rule": "self != 'x'"}]}),
        _field(type="array", items={"type": "string", "x-kubernetes-validations": [
            {"rule": "self != 'x'"}]}),
        _field(type="array", items={"type": "string", "x-kubernetes-validations": [
            {"rule": "self == oldSelf"}]}),
        _field(type="object", additionalProperties={"type": "string", "x-kubernetes-validations": [
            {"rule": "self == oldSelf"}]}),
        _field(**{"x-kubernetes-preserve-unknown-fields": True, "x-kubernetes-validations": [
            {"rule": "self.x == 1"}]}),
        _field(**{"x-kubernetes-int-or-string": True, "x-kubernetes-validations": [
            {"rule": "type(self) == int ? self > 1 : self == 'x'"}]}),
        _ask({"x-kubernetes-validations": [{"rule": "self.metadata.name != 'x'"}]}),
        _ask({"x-kubernetes-validations": [{"rule": "self.metadata.labels != {}"}]}),
        _field(type="object", properties={"a.b": {"type": "string"}, "x-y": {"type": "string"},
                                          "int": {"type": "string"}},
               **{"x-kubernetes-validations": [
                   {"rule": "self.a__dot__b == self.x__dash__y && self.int == ''"}]}),
        _field(type="object", properties={"namespace": {"type": "string"}},
               **{"x-kubernetes-validations": [{"rule": "self.__namespace__ == 'x'"}]}),
    ],
    "costs of rules": [
        _rule("self.l.all(x, self.l.all(y, x == y))", {"type": "object", "properties": {
            "l": {"type": "array", "items": {"type": "string"}}}}),
        _rule("self.l.all(x, x.contains('a'))", {"type": "object", "properties": {
            "l": {"type": "array", "items": {"type": "string"}}}}),
    ],
    "a definition's life": [
        post(CRDS, _crd()),
        get(f"{CRDS}/as.{GROUP}", within=10,
            see={"status": {"conditions": ["<any>", {"reason": "InitialNamesAccepted"}]}}),
        patch(f"{CRDS}/as.{GROUP}", {"spec": {"names": {"plural": "bs"}}}, code=422),
        patch(f"{CRDS}/as.{GROUP}", {"spec": {"scope": "Cluster"}}, code=422),
        patch(f"{CRDS}/as.{GROUP}", {"metadata": {"labels": {"a": "b"}}}),
        get(f"{CRDS}/as.{GROUP}/status"),
        delete(f"{CRDS}/as.{GROUP}"),
        get(f"{CRDS}/as.{GROUP}", code=404, within=20),
    ],
    "a protected group": [
        post(CRDS + "?dryRun=All", {"metadata": {"name": "as.x.k8s.io"}, "spec": {
            **_crd()["spec"], "group": "x.k8s.io"}}, code=(201, 422)),
        post(CRDS + "?dryRun=All", {"metadata": {"name": "as.x.k8s.io", "annotations": {
            "api-approved.kubernetes.io": "https://github.com/kubernetes/kubernetes/pull/1"}},
            "spec": {**_crd()["spec"], "group": "x.k8s.io"}}, code=(201, 422)),
        post(CRDS + "?dryRun=All", {"metadata": {"name": "as.x.k8s.io", "annotations": {
            "api-approved.kubernetes.io": "unapproved, experimental"}},
            "spec": {**_crd()["spec"], "group": "x.k8s.io"}}, code=(201, 422)),
    ],
}  # fmt: skip
