"""Service-account tokens: bounded JSON Web Tokens, made and checked here alone (RFC 7519).

Only this server ever checks them, so they are signed with a secret key (HMAC-SHA256) instead of a
key pair: a check costs microseconds and no library. Their claims are Kubernetes'. A token dies with
its service account, with the pod, secret or node it is bound to, and at its expiry.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct, field

from athanor.api.meta import JSON
from athanor.kit.times import rfc3339
from athanor.local.apiserver import errors
from athanor.local.store.model import Key, Row
from athanor.wire.request import User
from athanor.wire.status import ApiError

ISSUER = "https://kubernetes.default.svc"
DEFAULT_SECONDS, LEAST_SECONDS, MOST_SECONDS = 3600, 600, 365 * 86400
LEEWAY = 60.0
"""Seconds that a token outlives the deletion of what it is bound to, for a pod's last words."""

BINDABLE = {"Pod": "pods", "Secret": "secrets", "Node": "nodes"}
_EXTRA = "authentication.kubernetes.io"

Lookup = Callable[[Key], Row | None]
"""How the objects are found that a token is bound to."""


class BadToken(Exception):
    """The token is not valid; the message says why, for logs and TokenReviews."""


class Reference(Struct, frozen=True, omit_defaults=True):
    """A name and an identity in a claim."""

    name: str = ""
    uid: str = ""


class Bound(Struct, frozen=True, omit_defaults=True):
    """The claim `kubernetes.io`: whose token this is, and what it lives with."""

    namespace: str
    serviceaccount: Reference
    pod: Reference | None = None
    secret: Reference | None = None
    node: Reference | None = None


class Claims(Struct, frozen=True, omit_defaults=True):
    """What a token says. Times are whole seconds since the epoch."""

    aud: list[str]
    exp: int
    iat: int
    iss: str
    jti: str
    nbf: int
    sub: str
    bound: Bound = field(name="kubernetes.io")


class _Meta(Struct):
    uid: str = ""
    deletionTimestamp: str | None = None


class _Spec(Struct):
    nodeName: str = ""


class _Seen(Struct):
    metadata: _Meta
    spec: _Spec | None = None


_claims = msgspec.json.Decoder(Claims)
_seen = msgspec.json.Decoder(_Seen)


class Tokens:
    """Makes and checks tokens. `key` is the secret; whoever has it can be anyone."""

    def __init__(self, key: bytes, lookup: Lookup, audiences: Sequence[str] = (ISSUER,)) -> None:
        self._key = key
        self._lookup = lookup
        self.audiences = tuple(audiences)
        head = {"alg": "HS256", "kid": hashlib.sha256(key).hexdigest()[:16], "typ": "JWT"}
        self._head = _packed(msgspec.json.encode(head))

    def sign(self, claims: Claims) -> str:
        """The token that says this."""
        body = self._head + b"." + _packed(msgspec.json.encode(claims))
        return (body + b"." + self._signature(body)).decode()

    def check(self, token: str, now: float, audiences: Sequence[str] = ()) -> tuple[User, Claims]:
        """Who the token's holder is. Raises BadToken."""
        claims = self._verified(token)
        accepted = audiences or self.audiences
        if not set(claims.aud) & set(accepted):
            told, wanted = (" ".join(f'"{one}"' for one in some) for some in (claims.aud, accepted))
            raise BadToken(
                f"[invalid bearer token, token audiences [{told}] is invalid for the target "
                f"audiences [{wanted}]]"
            )
        if now >= claims.exp:
            raise BadToken("service account token has expired")
        if now < claims.nbf - LEEWAY:
            raise BadToken("service account token is not valid yet")
        self._alive(claims, now)
        return _user(claims), claims

    def request(
        self, namespace: str, name: str, asked: JSON, *, now: float, jti: str
    ) -> tuple[str, JSON]:
        """A new token and the whole answer to a TokenRequest. Raises ApiError."""
        spec = asked.get("spec") or {}
        _check_spec(spec)
        if (asked.get("metadata") or {}).get("name", name) != name:
            detail = "must match the service account name if specified"
            cause = errors.wrong("metadata.name", asked["metadata"]["name"], detail)
            raise errors.invalid("TokenRequest", "authentication.k8s.io", name, [cause])
        seconds = _seconds(spec)
        account = self._object(Key("serviceaccounts", namespace, name))
        bound = self._bound(spec.get("boundObjectRef"), namespace)
        audiences = list(spec.get("audiences") or self.audiences)
        claims = Claims(
            aud=audiences, exp=int(now) + seconds, iat=int(now), iss=ISSUER, jti=jti,
            nbf=int(now), sub=f"system:serviceaccount:{namespace}:{name}",
            bound=Bound(
                namespace=namespace,
                serviceaccount=Reference(name, account.metadata.uid),
                **bound,
            ),
        )  # fmt: skip
        token = self.sign(claims)
        answer = {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {
                "name": name, "namespace": namespace, "uid": account.metadata.uid,
                "creationTimestamp": rfc3339(now),
            },
            "spec": {
                "audiences": audiences,
                "expirationSeconds": seconds,
                "boundObjectRef": spec.get("boundObjectRef"),
            },
            "status": {"token": token, "expirationTimestamp": rfc3339(claims.exp)},
        }  # fmt: skip
        return token, answer

    def _bound(self, reference: JSON | None, namespace: str) -> dict[str, Reference]:
        if not reference:
            return {}
        kind, name = reference.get("kind", ""), reference.get("name", "")
        if kind not in BINDABLE or reference.get("apiVersion", "v1") != "v1":
            said = f"{reference.get('apiVersion', '')}, Kind={kind}"
            said = said if "/" in said else f"/{said}"
            raise errors.bad(f"cannot bind token to object of type {said}", "spec.boundObjectRef")
        seen = self._object(Key(BINDABLE[kind], "" if kind == "Node" else namespace, name))
        uid = reference.get("uid")
        if uid and uid != seen.metadata.uid:
            plural = BINDABLE[kind]
            raise ApiError(
                "Conflict",
                f'Operation cannot be fulfilled on {plural} "{name}": the UID in the bound object '
                f"reference ({uid}) does not match the UID in record. The object might have been "
                "deleted and then recreated",
                kind=plural,
                name=name,
            )
        bound = {kind.lower(): Reference(name, seen.metadata.uid)}
        if kind == "Pod" and seen.spec is not None and seen.spec.nodeName:
            node = self._lookup(Key("nodes", "", seen.spec.nodeName))
            node_uid = _seen.decode(node.body).metadata.uid if node else ""
            bound["node"] = Reference(seen.spec.nodeName, node_uid)
        return bound

    def _object(self, key: Key) -> _Seen:
        row = self._lookup(key)
        if row is None:
            raise ApiError(
                "NotFound", f'{key.resource} "{key.name}" not found', kind=key.resource,
                name=key.name,
            )  # fmt: skip
        return _seen.decode(row.body)

    def _verified(self, token: str) -> Claims:
        body, _, signature = token.rpartition(".")
        try:
            raw = body.encode("ascii")
            good = hmac.compare_digest(self._signature(raw), signature.encode("ascii"))
            if not good or not raw.startswith(self._head + b"."):
                raise BadToken("invalid bearer token")
            return _claims.decode(_unpacked(raw.rpartition(b".")[2]))
        except (msgspec.MsgspecError, binascii.Error, UnicodeEncodeError) as error:
            raise BadToken("invalid bearer token") from error

    def _signature(self, body: bytes) -> bytes:
        return _packed(hmac.digest(self._key, body, "sha256"))

    def _alive(self, claims: Claims, now: float) -> None:
        bound = claims.bound
        self._same("serviceaccounts", bound.namespace, bound.serviceaccount, now)
        for reference, resource in ((bound.pod, "pods"), (bound.secret, "secrets")):
            if reference is not None:
                self._same(resource, bound.namespace, reference, now)

    def _same(self, resource: str, namespace: str, reference: Reference, now: float) -> None:
        row = self._lookup(Key(resource, namespace, reference.name))
        if row is None:
            raise BadToken(f"{resource} {namespace}/{reference.name} has been deleted")
        seen = _seen.decode(row.body).metadata
        if seen.uid != reference.uid:
            raise BadToken(f"{resource} {namespace}/{reference.name} has been replaced")
        if seen.deletionTimestamp is not None and rfc3339(now - LEEWAY) > seen.deletionTimestamp:
            raise BadToken(f"{resource} {namespace}/{reference.name} is being deleted")


def groups_of(namespace: str) -> tuple[str, ...]:
    """The groups of every service account of a namespace."""
    return ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")


def _user(claims: Claims) -> User:
    bound = claims.bound
    extra = {f"{_EXTRA}/credential-id": (f"JTI={claims.jti}",)}
    if bound.node is not None:
        extra |= {
            f"{_EXTRA}/node-name": (bound.node.name,),
            f"{_EXTRA}/node-uid": (bound.node.uid,),
        }
    if bound.pod is not None:
        extra |= {
            f"{_EXTRA}/pod-name": (bound.pod.name,),
            f"{_EXTRA}/pod-uid": (bound.pod.uid,),
        }
    return User(
        name=claims.sub,
        uid=bound.serviceaccount.uid,
        groups=(*groups_of(bound.namespace), "system:authenticated"),
        extra=extra,
    )


def _check_spec(spec: object) -> None:
    if not isinstance(spec, dict):
        raise errors.bad("TokenRequest: spec must be an object")
    audiences, bound = spec.get("audiences") or [], spec.get("boundObjectRef") or {}
    if not isinstance(audiences, list) or not all(isinstance(a, str) for a in audiences):
        raise errors.bad("TokenRequest: spec.audiences must be a list of strings")
    if not isinstance(bound, dict) or not all(isinstance(v, str) for v in bound.values()):
        raise errors.bad("TokenRequest: spec.boundObjectRef must be an object of strings")


def _seconds(spec: JSON) -> int:
    seconds = spec.get("expirationSeconds")
    if seconds is None:
        return DEFAULT_SECONDS
    detail = ""
    if type(seconds) is not int:
        raise errors.bad("TokenRequest: spec.expirationSeconds must be a whole number of seconds")
    if seconds < LEAST_SECONDS:
        detail = "may not specify a duration less than 10 minutes"
    elif seconds > 1 << 32:
        detail = "may not specify a duration larger than 2^32 seconds"
    if detail:
        cause = errors.wrong("spec.expirationSeconds", seconds, detail)
        raise errors.invalid("TokenRequest", "authentication.k8s.io", "", [cause])
    return min(seconds, MOST_SECONDS)


def _packed(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _unpacked(data: bytes) -> bytes:
    return base64.urlsafe_b64decode(data + b"=" * (-len(data) % 4))
