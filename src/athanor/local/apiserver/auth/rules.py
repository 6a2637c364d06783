"""RBAC's policy rules as values: does a rule allow a request, do some rules cover another?

Semantics are those of rbac.authorization.k8s.io/v1. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct, field

from athanor.api.meta import JSON


class Attributes(Struct, frozen=True, kw_only=True):
    """What is asked for. `resource` is empty for paths such as /version."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def full(self) -> str:
        """`pods/log`: the resource with its subresource."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


class Rule(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One PolicyRule."""

    verbs: tuple[str, ...] = ()
    api_groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = field(default=(), name="nonResourceURLs")

    def allows(self, asked: Attributes) -> bool:
        """Whether this rule allows the request."""
        if "*" not in self.verbs and asked.verb not in self.verbs:
            return False
        if not asked.resource:
            return any(_url_matches(url, asked.path) for url in self.non_resource_urls)
        if "*" not in self.api_groups and asked.group not in self.api_groups:
            return False
        if not self._has(asked.full, asked.subresource):
            return False
        return not self.resource_names or asked.name in self.resource_names

    def _has(self, full: str, subresource: str) -> bool:
        return (
            "*" in self.resources
            or full in self.resources
            or (bool(subresource) and f"*/{subresource}" in self.resources)
        )

    def shown(self) -> str:
        """The rule as Kubernetes' messages print it."""
        parts = [
            ("APIGroups", self.api_groups), ("Resources", self.resources),
            ("ResourceNames", self.resource_names), ("NonResourceURLs", self.non_resource_urls),
            ("Verbs", self.verbs),
        ]  # fmt: skip
        said = [
            f"{name}:[{' '.join(_quoted(v) for v in values)}]" for name, values in parts if values
        ]
        return "{" + ", ".join(said) + "}"


def rules_of(role: JSON) -> tuple[Rule, ...]:
    """The rules of a Role or ClusterRole; what is malformed grants nothing."""
    return tuple(
        Rule(
            verbs=_words(rule.get("verbs")),
            api_groups=_words(rule.get("apiGroups")),
            resources=_words(rule.get("resources")),
            resource_names=_words(rule.get("resourceNames")),
            non_resource_urls=_words(rule.get("nonResourceURLs")),
        )
        for rule in role.get("rules") or ()
        if isinstance(rule, dict)
    )


def uncovered(held: Sequence[Rule], wanted: Iterable[Rule]) -> list[Rule]:
    """The rules of `wanted` that whoever holds `held` does not hold, cut into single rights."""
    missing = []
    for rule in wanted:
        missing += [
            single for single in _singles(rule) if not any(_covers(h, single) for h in held)
        ]
    return missing


def _singles(rule: Rule) -> Iterable[Rule]:
    for verb in rule.verbs:
        for url in rule.non_resource_urls:
            yield Rule(verbs=(verb,), non_resource_urls=(url,))
        for group in rule.api_groups:
            for resource in rule.resources:
                one = Rule(verbs=(verb,), api_groups=(group,), resources=(resource,))
                if not rule.resource_names:
                    yield one
                for name in rule.resource_names:
                    yield Rule(
                        verbs=(verb,), api_groups=(group,), resources=(resource,),
                        resource_names=(name,),
                    )  # fmt: skip


def _covers(held: Rule, single: Rule) -> bool:
    if "*" not in held.verbs and single.verbs[0] not in held.verbs:
        return False
    if single.non_resource_urls:
        wanted = single.non_resource_urls[0]
        return any(
            url == wanted or (url.endswith("*") and wanted.startswith(url.removesuffix("*")))
            for url in held.non_resource_urls
        )
    if "*" not in held.api_groups and single.api_groups[0] not in held.api_groups:
        return False
    resource = single.resources[0]
    _, _, subresource = resource.partition("/")
    if not held._has(resource, subresource):
        return False
    if not held.resource_names:
        return True
    return bool(single.resource_names) and single.resource_names[0] in held.resource_names


def compact(rules: Iterable[Rule]) -> list[Rule]:
    """Single rights gathered by what they are about: verbs of one resource in one rule."""
    gathered: dict[tuple[tuple[str, ...], ...], list[str]] = {}
    for rule in rules:
        about = (rule.api_groups, rule.resources, rule.resource_names, rule.non_resource_urls)
        gathered.setdefault(about, []).extend(rule.verbs)
    return [
        Rule(
            api_groups=groups, resources=resources, resource_names=names, non_resource_urls=urls,
            verbs=tuple(dict.fromkeys(verbs)),
        )
        for (groups, resources, names, urls), verbs in sorted(gathered.items())
    ]  # fmt: skip


def _url_matches(url: str, path: str) -> bool:
    return url in ("*", path) or (url.endswith("*") and path.startswith(url[:-1]))


def _words(value: object) -> tuple[str, ...]:
    return tuple(v for v in value if isinstance(v, str)) if isinstance(value, list | tuple) else ()


def _quoted(word: str) -> str:
    return f'"{word}"'
