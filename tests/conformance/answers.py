"""Whole answers, made comparable: what differs from run to run gets a name instead of a value.

Identities and versions are numbered in the order in which they appear in a scenario, so that
"the same object as before" and "not changed since" are compared, too.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, field

_UID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_MICRO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,9}Z")
_SUFFIX = re.compile(r"(kube-api-access-)[bcdfghjklmnpqrstvwxz2456789]{5}")
_AGE = re.compile(r"(?=\d)(\d+y)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?")
_CLUSTER_IP = re.compile(r"10\.\d+\.\d+\.\d+")
_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")
_WORDS = (
    (
        re.compile(
            r"(cannot be handled as an? \w+: )(?!strict decoding error|no kind).*", re.DOTALL
        ),
        r"\1<why>",
    ),
    (re.compile(r"(couldn't get version/kind; ).*", re.DOTALL), r"\1<why>"),
    (re.compile(r"(error decoding (?:patch|YAML): ).*", re.DOTALL), r"\1<why>"),
    (re.compile(r".*(is invalid: patch: ).*", re.DOTALL), r"\1<why>"),
    (re.compile(r"the server rejected our request due to an error in our request"), "<why>"),
    (re.compile(r"JSON patch operation \d+ .*", re.DOTALL), "<why>"),
    (re.compile(r"(accepted media types include: ).*"), r"\1<types>"),
    (re.compile(r"(following media types are accepted: ).*"), r"\1<types>"),
    (re.compile(r"(Too large resource version: \d+, current: )\d+"), r"\1<version>"),
    (
        re.compile(
            r"(in the precondition \(\d+\) does not match the ResourceVersion in record )\(\d+\)"
        ),
        r"\1(<version>)",
    ),
    (re.compile(r"\n@@ .*", re.DOTALL), ""),
    (re.compile(r"requested &user\.DefaultInfo\{.*\} without impersonating a user name"), "<why>"),
    (re.compile(r"impersonation headers need Impersonate-User: a user's name"), "<why>"),
    (re.compile(r'(no kind "\w+" is registered for version "[^"]*") .*'), r"\1"),
    (re.compile(r"json: cannot unmarshal .*|DeleteOptions: .*|Invalid JSON Patch"), "<why>"),
    (re.compile(r"invalid character .*|error decoding patch: <why>"), "<why>"),
    (re.compile(r"the object provided is unrecognized \(must be of type DeleteOptions\): "), ""),
    (re.compile(r"(Invalid value: )[\[{].*[\]}](: )"), r"\1<value>\2"),
    (re.compile(r"(Available representations: ).*"), r"\1<types>"),
)
"""Where our words are better than those of Go's libraries; docs/reference/refusals.md lists it."""


class Names(Struct):
    """What was seen in one scenario, and what it is called."""

    known: Mapping[str, str]
    """Texts of this run and their {names}: the namespace."""
    omit: Sequence[str] = ()
    """Keys of objects that are left out."""
    dry: bool = False
    uids: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def uid(self, found: re.Match[str]) -> str:
        """An identity's name. What is not kept has none of its own."""
        if self.dry:
            return "<uid>"
        return self.uids.setdefault(found[0], f"<uid {len(self.uids) + 1}>")

    def version(self, text: str) -> str:
        """A resourceVersion's name."""
        return self.versions.setdefault(text, f"<version {len(self.versions) + 1}>")

    def text(self, value: str) -> str:
        """A text without what only this run knows."""
        for text, name in self.known.items():
            value = value.replace(text, name)
        for pattern, instead in _WORDS:
            value = pattern.sub(instead, value)
        value = _MICRO.sub("<moment>", _UID.sub(self.uid, value))
        value = _SUFFIX.sub(r"\1<suffix>", _TIME.sub("<time>", value))
        return _CLUSTER_IP.sub("<ip>", _JWT.sub("<token>", value))


def comparable(value: Any, names: Names, *, managed: bool = False) -> Any:
    """A decoded answer, comparable to another run's."""
    if isinstance(value, str):
        return "<certificate>" if value.startswith("-----BEGIN CERT") else names.text(value)
    if isinstance(value, list):
        found_all = [comparable(v, names, managed=managed) for v in value]
        return (
            _once(found_all)
            if value and isinstance(value[0], dict) and "reason" in value[0] and "field" in value[0]
            else found_all
        )
    if not isinstance(value, dict):
        return value
    found = {}
    if value.get("reason") == "BadRequest" or value.get("details") == {}:
        value = {k: v for k, v in value.items() if k != "details"}
    if value.get("field") == "patch" and value.get("reason") == "FieldValueInvalid":
        value = {**value, "message": "<why>"}
    for key, inner in value.items():
        if key in names.omit and value.get("kind") != "Status":
            continue
        if key == "default" and inner is None:
            continue  # a default of null is none
        if key == "description" and {"name", "format", "priority"} <= value.keys():
            continue
        if key == "metadata" and isinstance(inner, dict):
            found[key] = _metadata(inner, names, listed="items" in value, managed=managed)
        elif key == "cells":
            found[key] = ["<age>" if _is_age(c) else comparable(c, names) for c in inner]
        else:
            found[names.text(key)] = comparable(inner, names, managed=managed)
    if found.get("reason") == "Invalid" and (found.get("details") or {}).get("causes"):
        _settle(found, rebuilt="\n@@ " in value["message"])
    return found


_AMOUNTS = re.compile(
    r"(.*\.resources|spec\.hard|.*\.limits\[\d+\])[\[.].*|(.*\.labels|spec\.selector)"
)


_FIELDS = re.compile(r"(spec)\..*")


def _settle(status: dict[str, Any], *, rebuilt: bool) -> None:
    """Put causes of what Go has in a map in one order (it has none), and the message after them.

    That is amounts of resources, labels, selectors, and the properties of a custom kind's schema.
    """
    causes = status["details"]["causes"]
    custom = status["details"].get("group", "").endswith("example.com")
    shape = _FIELDS if custom else _AMOUNTS
    stems = [(m := shape.fullmatch(c.get("field", ""))) and m[m.lastindex or 0] for c in causes]
    settled = []
    for stem, run in itertools.groupby(zip(stems, causes, strict=True), key=lambda pair: pair[0]):
        some = [cause for _, cause in run]
        settled += sorted(some, key=lambda c: (c["field"], c["message"])) if stem else some
    if settled != causes or rebuilt:
        status["details"]["causes"] = settled
        texts = [f"{c['field']}: {c['message']}" if "field" in c else c["message"] for c in settled]
        said = list(dict.fromkeys(texts))
        head, _, _ = status["message"].partition(" is invalid: ")
        listed = said[0] if len(said) == 1 else f"[{', '.join(said)}]"
        status["message"] = f"{head} is invalid: {listed}"


def _once(causes: list[Any]) -> list[Any]:
    """Causes without repetitions (some checks of Kubernetes run twice), conflicts in one order."""
    found = [c for i, c in enumerate(causes) if c not in causes[:i]]
    if all(c["reason"] == "FieldManagerConflict" for c in found):
        found.sort(key=lambda c: (c["field"], c["message"]))
    return found


def _is_age(cell: Any) -> bool:
    return isinstance(cell, str) and _AGE.fullmatch(cell) is not None


def _metadata(meta: dict[str, Any], names: Names, *, listed: bool, managed: bool) -> Any:
    meta = {k: v for k, v in meta.items() if managed or k != "managedFields"}
    meta = {k: v for k, v in meta.items() if k not in names.omit}
    version = meta.pop("resourceVersion", None)
    generated = meta.get("generateName")
    found = comparable(meta, names, managed=managed)
    if generated and isinstance(meta.get("name"), str) and meta["name"].startswith(generated):
        found["name"] = names.text(generated) + "<suffix>"
    if found.pop("continue", ""):
        found["continue"] = "<continue>"
    if isinstance(version, str):
        found["resourceVersion"] = "<version>" if listed else names.version(version)
    return found
