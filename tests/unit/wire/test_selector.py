"""Selectors answer and complain as a Kubernetes 1.36 API server does (asked once, kept here)."""

from __future__ import annotations

import pytest

from athanor.wire import selector
from athanor.wire.status import ApiError

LABELS = {"app": "web", "tier": "back", "in": "x", "n": "5", "empty": ""}

MATCHES = [
    ("", True),
    ("   ", True),
    ("app=web", True),
    ("app==web,tier=back", True),
    ("app!=web", False),
    ("missing!=web", True),
    ("app", True),
    ("!app", False),
    ("!missing", True),
    ("app in (web,db)", True),
    ("app in(web)", True),
    ("app  in  (db , web)", True),
    ("app notin (web,db)", False),
    ("missing notin ()", True),
    ("empty in ()", True),
    ("empty=", True),
    ("empty=,app", True),
    ("app in (a,,b)", False),
    ("empty in (a,,b)", True),
    ("in in (x)", True),
    ("in", True),
    ("!in", False),
    ("app=in", False),
    ("n>4", True),
    ("n>5", False),
    ("n<6", True),
    ("app>1", False),
    ("missing<1", False),
]

ERRORS = [
    ("a in (", "unable to parse requirement: found '', expected: ',', ')' or identifier"),
    ("a in b", "unable to parse requirement: found 'b' expected: '('"),
    ("!!a", "unable to parse requirement: found '!', expected: identifier"),
    ("a,", "found '', expected: identifier after ','"),
    (",a", "found ',', expected: !, identifier, or 'end of string'"),
    ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
    ("a=b c", "found 'c', expected: ',' or 'end of string'"),
    ("a in (b,c", "unable to parse requirement: found '', expected: ',' or ')'"),
    ("a=b=c", "found '=', expected: ',' or 'end of string'"),
    ("a=(b)", "unable to parse requirement: found '(', expected: identifier"),
    ("a!b", "unable to parse requirement: found '!', expected: in, notin, =, ==, !=, gt, lt"),
    ("!a=b", "found '=', expected: ',' or 'end of string'"),
    ("!", "unable to parse requirement: found '', expected: identifier"),
    ("a in ((b))", "unable to parse requirement: found '(', expected: ',', ')' or identifier"),
    ("a(b)", "unable to parse requirement: found '(', expected: in, notin, =, ==, !=, gt, lt"),
    (")", "found ')', expected: !, identifier, or 'end of string'"),
    ("a in (b)c", "found 'c', expected: ',' or 'end of string'"),
    (
        "a>b",
        "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' "
        "operators, the value must be an integer",
    ),
    (
        "a<",
        "unable to parse requirement: values[0]: Invalid value: \"\": for 'Gt', 'Lt' "
        "operators, the value must be an integer",
    ),
    (
        "/x",
        'unable to parse requirement: <nil>: Invalid value: "/x": prefix part must be non-empty',
    ),
    (
        "a" * 64,
        f'unable to parse requirement: <nil>: Invalid value: "{"a" * 64}": name part must be no '
        "more than 63 bytes",
    ),
    (
        "-a",
        f'unable to parse requirement: <nil>: Invalid value: "-a": name part {selector.NAME_RULE}',
    ),
    (
        "FOO/x",
        'unable to parse requirement: <nil>: Invalid value: "FOO/x": prefix part '
        f"{selector.SUBDOMAIN_RULE}",
    ),
    (
        "foo.bar/=1",
        'unable to parse requirement: <nil>: Invalid value: "foo.bar/": name part must be '
        f"non-empty; name part {selector.NAME_RULE}",
    ),
    (
        "a/b/c=d",
        f'unable to parse requirement: <nil>: Invalid value: "a/b/c": a valid label key '
        f"{selector.NAME_RULE} with an optional DNS subdomain prefix and '/' (e.g. "
        "'example.com/MyName')",
    ),
    (
        "a in (b,-c)",
        f'unable to parse requirement: values[0][a]: Invalid value: "-c": {selector.VALUE_RULE}',
    ),
    (
        "a in (b,-d,-e)",
        f'unable to parse requirement: [values[0][a]: Invalid value: "-d": {selector.VALUE_RULE}, '
        f'values[1][a]: Invalid value: "-e": {selector.VALUE_RULE}]',
    ),
    (
        "a=" + "b" * 64,
        f'unable to parse requirement: values[0][a]: Invalid value: "{"b" * 64}": must be no more '
        "than 63 bytes",
    ),
]


@pytest.mark.parametrize(("text", "expected"), MATCHES)
def test_label_selector(text: str, expected: bool) -> None:
    parsed = selector.parse_labels(text)
    assert parsed.matches(LABELS) is expected
    assert selector.parse_labels(str(parsed)).requirements == parsed.requirements


@pytest.mark.parametrize(("text", "message"), ERRORS)
def test_label_selector_errors(text: str, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        selector.parse_labels(text)
    assert (caught.value.reason, caught.value.message) == ("BadRequest", message)


def test_object_form() -> None:
    assert not selector.from_object(None).matches({})
    assert selector.from_object({}).matches({"a": "b"})
    some = selector.from_object(
        {
            "matchLabels": {"app": "web"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["back", "front"]},
                {"key": "old", "operator": "DoesNotExist"},
            ],
        }
    )
    assert some.matches(LABELS)
    assert not some.matches({"app": "web", "tier": "back", "old": ""})
    assert str(some) == "app=web,!old,tier in (back,front)"


def test_object_form_causes() -> None:
    causes = selector.object_causes(
        {
            "matchLabels": {"c": "-d"},
            "matchExpressions": [
                {"key": "a", "operator": "In"},
                {"key": "a", "operator": "Exists", "values": ["a"]},
                {"key": "a", "operator": "Foo", "values": ["a"]},
            ],
        },
        "spec.selector",
    )
    assert [(c.reason, c.field) for c in causes] == [
        ("FieldValueInvalid", "spec.selector.matchLabels"),
        ("FieldValueRequired", "spec.selector.matchExpressions[0].values"),
        ("FieldValueForbidden", "spec.selector.matchExpressions[1].values"),
        ("FieldValueInvalid", "spec.selector.matchExpressions[2].operator"),
    ]
    assert causes[3].message == 'Invalid value: "Foo": not a valid selector operator'
    with pytest.raises(ApiError):
        selector.from_object({"matchExpressions": [{"key": "a", "operator": "In"}]})


POD = {"metadata": {"name": "a,b", "namespace": "x"}, "spec": {"nodeName": "n1"}}

FIELDS = [
    ("", True),
    (",", True),
    ("metadata.name=a\\,b", True),
    ("metadata.name==a\\,b,metadata.namespace!=y", True),
    ("metadata.namespace!=x", False),
    ("spec.nodeName=n1,", True),
    ("spec.nodeName=", False),
    ("status.phase=", True),
    ("spec.hostNetwork=false", True),
]


@pytest.mark.parametrize(("text", "expected"), FIELDS)
def test_field_selector(text: str, expected: bool) -> None:
    parsed = selector.parse_fields(text)
    assert parsed.matches_object(POD) is expected
    flat = {t.path: selector.field_of(POD, t.path) for t in parsed.terms}
    assert parsed.matches(flat) is expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("metadata.name", "invalid selector: 'metadata.name'; can't understand 'metadata.name'"),
        ("a=b,!c", "invalid selector: 'a=b,!c'; can't understand '!c'"),
        ("a=b=c", "invalid field selector: unescaped character in value: 61"),
        ("a!=b!=c", "invalid field selector: unescaped character in value: 61"),
        ("a=b\\x", "invalid field selector: invalid escape sequence: \\x"),
    ],
)
def test_field_selector_errors(text: str, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        selector.parse_fields(text)
    assert caught.value.message == message


def test_which_fields_select() -> None:
    parsed = selector.parse_fields("spec.nodeName=n1")
    parsed.check(selector.selectable("pods"))
    assert parsed.exactly("spec.nodeName") == "n1"
    with pytest.raises(ApiError, match="field label not supported: spec.nodeName"):
        parsed.check(selector.selectable("configmaps"))


def test_fields_with_rules_of_their_own() -> None:
    event = {"source": {"component": "kubelet"}, "reportingComponent": "x"}
    assert selector.field_of(event, "source") == "kubelet"
    assert selector.field_of({"source": {}, "reportingComponent": "x"}, "source") == "x"
    pod = {"status": {"podIPs": [{"ip": "1.1.1.1"}, {"ip": "::1"}]}}
    assert selector.field_of(pod, "status.podIPs") == "1.1.1.1,::1"
