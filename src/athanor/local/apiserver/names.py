"""What names may look like, in Kubernetes' wording: each rule answers a list of problems."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SEARCH = re.compile(r"_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*")
_CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_ENV = re.compile(r"[ -<>-~]+")

_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex "
    "used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_LABEL_1035_RULE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or "
    "'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_SEARCH_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' "
    "or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex "
    "used for validation is "
    "'_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')"
)
_CONFIG_KEY_RULE = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. "
    "'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is "
    "'[-._a-zA-Z0-9]+')"
)


def _check(value: str, limit: int, pattern: re.Pattern[str], rule: str) -> Sequence[str]:
    if len(value) <= limit and pattern.fullmatch(value):
        return ()
    problems = []
    if len(value) > limit:
        problems.append(f"must be no more than {limit} characters")
    if not pattern.fullmatch(value):
        problems.append(rule)
    return problems


def subdomain(value: str) -> Sequence[str]:
    """Most objects: an RFC 1123 subdomain."""
    return _check(value, 253, _SUBDOMAIN, _SUBDOMAIN_RULE)


@lru_cache(maxsize=4096)
def label(value: str) -> Sequence[str]:
    """Namespaces, containers: an RFC 1123 label."""
    rule = "must not contain dots" if _SUBDOMAIN.fullmatch(value) else _LABEL_RULE
    return _check(value, 63, _LABEL, rule)


def search_domain(value: str) -> Sequence[str]:
    """Where DNS looks names up: a subdomain that may have underscores."""
    return _check(value, 253, _SEARCH, _SEARCH_RULE)


@lru_cache(maxsize=4096)
def label_1035(value: str) -> Sequence[str]:
    """Services: an RFC 1035 label."""
    return _check(value, 63, _LABEL_1035, _LABEL_1035_RULE)


@lru_cache(maxsize=4096)
def path_segment(value: str) -> Sequence[str]:
    """RBAC objects: anything that fits between two slashes."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{c}'" for c in ("/", "%") if c in value]


@lru_cache(maxsize=4096)
def config_key(value: str) -> Sequence[str]:
    """Keys of ConfigMaps and Secrets."""
    problems = list(_check(value, 253, _CONFIG_KEY, _CONFIG_KEY_RULE))
    if value == ".":
        problems.append("must not be '.'")
    elif value == "..":
        problems.append("must not be '..'")
    elif value.startswith(".."):
        problems.append("must not start with '..'")
    return problems


@lru_cache(maxsize=4096)
def env_name(value: str) -> Sequence[str]:
    """Names of environment variables: printable ASCII without '='."""
    if _ENV.fullmatch(value):
        return []
    return [
        "a valid environment variable name must consist only of printable ASCII characters other "
        "than '='"
    ]


def endpoint_address(text: str) -> Sequence[str]:
    """What is wrong with an address that traffic is sent to."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return ("must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",)
    said = []
    if address.is_unspecified:
        said.append(f"may not be unspecified ({text})")
    if address.is_loopback:
        said.append("may not be in the loopback range (127.0.0.0/8, ::1/128)")
    if address.is_link_local:
        said.append("may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    return said


def address(text: str) -> Sequence[str]:
    """What is wrong with an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return ("must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",)
    return ()


def port_name(text: str) -> Sequence[str]:
    """What is wrong with a port's name (RFC 6335)."""
    said = []
    if len(text) > 15:
        said.append("must be no more than 15 characters")
    if not re.fullmatch(r"[-a-z0-9]+", text):
        said.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search(r"[a-z]", text):
        said.append("must contain at least one letter (a-z)")
    if "--" in text:
        said.append("must not contain consecutive hyphens")
    if text and "-" in (text[0], text[-1]):
        said.append("must not begin or end with a hyphen")
    return said
