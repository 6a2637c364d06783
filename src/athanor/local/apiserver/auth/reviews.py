"""Questions about rights and identities, answered at once and never stored.

SubjectAccessReview, SelfSubjectAccessReview, LocalSubjectAccessReview, SelfSubjectRulesReview
(authorization.k8s.io/v1); TokenReview and SelfSubjectReview (authentication.k8s.io/v1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from athanor.api.meta import JSON
from athanor.local.apiserver import errors
from athanor.local.apiserver.auth.auth import Auth
from athanor.local.apiserver.auth.rules import Attributes
from athanor.local.apiserver.auth.tokens import BadToken
from athanor.wire.request import User
from athanor.wire.status import ApiError, Cause

AUTHENTICATION, AUTHORIZATION = "authentication.k8s.io", "authorization.k8s.io"


class Asker(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, where and when. `now` is an RFC 3339 time, `seconds` the same since the epoch."""

    user: User
    namespace: str = ""
    now: str = ""
    seconds: float = 0.0


Review = Callable[[Auth, Asker, JSON], JSON]


def review(auth: Auth, asker: Asker, kind: str, obj: JSON) -> JSON:
    """The review `obj` of this kind with its answer as `status`. Raises ApiError."""
    spec = obj.get("spec")
    if spec is not None and not isinstance(spec, dict):
        raise errors.bad(f"{kind}: spec must be an object")
    meta = obj.get("metadata") or {}
    if kind in _ANONYMOUS and meta:
        raise _invalid([errors.wrong("metadata", meta, "must be empty")])
    obj["metadata"] = {"namespace": asker.namespace} if asker.namespace else meta
    if kind == "SelfSubjectReview":
        obj["metadata"] = {**meta, "creationTimestamp": asker.now}
    status = REVIEWS[kind](auth, asker, obj)
    if kind == "SelfSubjectRulesReview":
        obj["spec"] = {}
    elif isinstance(spec, dict):
        obj["spec"] = {k: v for k, v in spec.items() if v not in ("", [], None)}
    return {**obj, "status": status}


_ANONYMOUS = ("SubjectAccessReview", "SelfSubjectAccessReview")


def _subject_access(auth: Auth, asker: Asker, obj: JSON) -> JSON:
    spec = obj.get("spec") or {}
    asked, causes = _attributes(spec)
    user, groups = _text(spec, "user"), _texts(spec, "groups")
    if not user and not groups:
        detail = "at least one of user or group must be specified"
        causes.append(errors.wrong("spec.user", user, detail))
    if obj.get("kind") == "LocalSubjectAccessReview":
        where = _text(spec.get("resourceAttributes") or {}, "namespace")
        if (path := spec.get("nonResourceAttributes")) is not None:
            field, detail = "spec.nonResourceAttributes", "disallowed on this kind of request"
            causes = [errors.wrong(field, path, detail)]
        elif where != asker.namespace:
            field = "spec.resourceAttributes.namespace"
            causes.append(errors.wrong(field, where, "must match metadata.namespace"))
    if causes or asked is None:
        raise _invalid(causes)
    return _answer(auth, User(name=user, groups=groups, uid=_text(spec, "uid")), asked)


def _self_subject_access(auth: Auth, asker: Asker, obj: JSON) -> JSON:
    asked, causes = _attributes(obj.get("spec") or {})
    if causes or asked is None:
        raise _invalid(causes)
    return _answer(auth, asker.user, asked)


def _answer(auth: Auth, user: User, asked: Attributes) -> JSON:
    reason = auth.why(user, asked)
    return {"allowed": reason is not None} | ({"reason": reason} if reason else {})


def _self_subject_rules(auth: Auth, asker: Asker, obj: JSON) -> JSON:
    namespace = _text(obj.get("spec") or {}, "namespace")
    if not namespace:
        raise errors.bad("no namespace on request")
    rules = [msgspec.to_builtins(r) for r in dict.fromkeys(auth.rbac.held(asker.user, namespace))]
    return {
        "resourceRules": [r for r in rules if "nonResourceURLs" not in r],
        "nonResourceRules": [r for r in rules if "nonResourceURLs" in r],
        "incomplete": False,
    }


def _token(auth: Auth, asker: Asker, obj: JSON) -> JSON:
    spec = obj.get("spec") or {}
    token, audiences = _text(spec, "token"), _texts(spec, "audiences")
    if not token:
        raise errors.bad("token is required for TokenReview in authentication")
    try:
        user, claims = auth.tokens.check(token, asker.seconds, audiences)
    except BadToken as bad:
        return {"user": {}, "error": str(bad)}
    accepted = audiences or auth.tokens.audiences
    return {
        "authenticated": True,
        "user": _user_info(user),
        "audiences": [a for a in claims.aud if a in accepted],
    }


def _self_subject(auth: Auth, asker: Asker, obj: JSON) -> JSON:
    return {"userInfo": _user_info(asker.user)}


REVIEWS: Mapping[str, Review] = {
    "SubjectAccessReview": _subject_access,
    "LocalSubjectAccessReview": _subject_access,
    "SelfSubjectAccessReview": _self_subject_access,
    "SelfSubjectRulesReview": _self_subject_rules,
    "TokenReview": _token,
    "SelfSubjectReview": _self_subject,
}
"""Kind → how it is answered."""


def _user_info(user: User) -> JSON:
    told: JSON = {"username": user.name}
    if user.uid:
        told["uid"] = user.uid
    if user.groups:
        told["groups"] = list(user.groups)
    if user.extra:
        told["extra"] = {key: list(values) for key, values in user.extra.items()}
    return told


def _attributes(spec: JSON) -> tuple[Attributes | None, list[Cause]]:
    about, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if about is not None and path is not None:
        field, detail = "spec.nonResourceAttributes", "cannot be specified in combination with "
        return None, [errors.wrong(field, path, detail + "resourceAttributes")]
    if about is None and path is None:
        detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        return None, [errors.wrong("spec.resourceAttributes", None, detail)]
    found = about if about is not None else path
    if not isinstance(found, dict):
        raise errors.bad("spec.resourceAttributes and nonResourceAttributes must be objects")
    if about is None:
        return Attributes(verb=_text(found, "verb"), path=_text(found, "path")), []
    return Attributes(
        verb=_text(found, "verb"), group=_text(found, "group"), resource=_text(found, "resource"),
        subresource=_text(found, "subresource"), namespace=_text(found, "namespace"),
        name=_text(found, "name"),
    ), []  # fmt: skip


def _text(obj: JSON, key: str) -> str:
    value = obj.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise errors.bad(f"{key} must be a string, not {errors.shown(value)}")
    return value


def _texts(obj: JSON, key: str) -> tuple[str, ...]:
    value = obj.get(key) or []
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise errors.bad(f"{key} must be a list of strings, not {errors.shown(value)}")
    return tuple(value)


def _invalid(causes: list[Cause]) -> ApiError:
    return errors.invalid("", AUTHORIZATION, "", causes)
