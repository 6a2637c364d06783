"""The face of authentication and authorization: `Auth` says who asks and whether they may."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from athanor.api.meta import JSON
from athanor.kit.clock import Clock
from athanor.local.apiserver import errors
from athanor.local.apiserver.auth.node import Nodes, node_of
from athanor.local.apiserver.auth.rbac import KINDS, Rbac
from athanor.local.apiserver.auth.rules import Attributes
from athanor.local.apiserver.auth.tokens import BadToken, Tokens, groups_of
from athanor.local.apiserver.route import Target
from athanor.local.store.store import Store
from athanor.wire.request import Request, User
from athanor.wire.status import ApiError

AUTHENTICATED, UNAUTHENTICATED = "system:authenticated", "system:unauthenticated"
MASTERS = "system:masters"
ANONYMOUS = User(name="system:anonymous", groups=(UNAUTHENTICATED,))
FOLLOWED = (*KINDS, "pods")
"""Resources whose writes `Auth.changed` must be told of."""
_IMPERSONATE = "impersonate-"
_PEERS = 1024
"""Most holders of certificates that are remembered."""


class Auth:
    """Authenticator and authorizer over a store. Call `changed` after every write.

    `key` signs service-account tokens. Whoever is in `system:masters` may do anything, so that
    nobody can lock the owner of the machine out.
    """

    def __init__(self, store: Store, clock: Clock, key: bytes) -> None:
        self._clock = clock
        self.tokens = Tokens(key, store.get)
        self.rbac = Rbac()
        self.nodes = Nodes()
        self._peers: dict[int, tuple[User, User]] = {}
        for resource in FOLLOWED:
            for row in store.rows(resource):
                self.changed(resource, None, msgspec.json.decode(row.body))

    def changed(self, resource: str, old: JSON | None, new: JSON | None) -> None:
        """An object of a resource (its name in the store) was written or deleted (no new)."""
        self.rbac.changed(resource, old, new)
        self.nodes.changed(resource, old, new)

    def authenticate(self, request: Request) -> User:
        """Who asks: a client certificate (it counts first), a bearer token, or nobody (anonymous).

        Raises ApiError: Unauthorized for a bad credential, Forbidden for an impersonation that is
        not allowed.
        """
        user = self._who(request)
        if _impersonates(tuple(request.headers)):
            return self._impersonate(user, request)
        return user

    def authorize(self, user: User, asked: Target) -> None:
        """Nothing when the user may do this. Raises ApiError Forbidden."""
        if MASTERS in user.groups:
            return
        attributes = attributes_of(asked)
        node = node_of(user)
        if node is not None and self.nodes.allows(node, attributes):
            return
        if self.rbac.find(user, attributes) is None:
            raise refusal(user, attributes)

    def why(self, user: User, asked: Attributes) -> str | None:
        """Why the user may do this (possibly an empty reason), or None: they may not."""
        if MASTERS in user.groups:
            return ""
        node = node_of(user)
        if node is not None and self.nodes.allows(node, asked):
            return ""
        grant = self.rbac.find(user, asked)
        return None if grant is None else grant.reason()

    def _who(self, request: Request) -> User:
        if request.peer is not None:
            return self._vouched(request.peer)
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and token.strip():
            try:
                user, _ = self.tokens.check(token.strip(), self._clock.now())
            except BadToken as bad:
                raise ApiError("Unauthorized", "Unauthorized") from bad
            return user
        return ANONYMOUS

    def _vouched(self, peer: User) -> User:
        """The holder of a certificate: made once for as long as the connection lasts."""
        known = self._peers.get(id(peer))
        if known is None or known[0] is not peer:
            if len(self._peers) >= _PEERS:
                self._peers.clear()
            known = self._peers[id(peer)] = (peer, _authenticated(peer))
        return known[1]

    def _impersonate(self, user: User, request: Request) -> User:
        headers = request.headers
        name = headers.get("impersonate-user", "")
        groups = [g.strip() for g in headers.get("impersonate-group", "").split(",") if g.strip()]
        if not name:
            raise errors.bad("impersonation headers need Impersonate-User: a user's name")
        namespace, account = _account(name)
        if account:
            self._may_impersonate(
                user,
                Attributes(
                    verb="impersonate", resource="serviceaccounts", namespace=namespace,
                    name=account,
                ),
            )  # fmt: skip
            groups = groups or list(groups_of(namespace))
        else:
            self._may_impersonate(user, Attributes(verb="impersonate", resource="users", name=name))
        for group in groups if not account or "impersonate-group" in headers else ():
            self._may_impersonate(
                user, Attributes(verb="impersonate", resource="groups", name=group)
            )
        extra = {}
        for header, value in headers.items():
            if header.startswith("impersonate-extra-"):
                key = header.removeprefix("impersonate-extra-")
                self._may_impersonate(
                    user,
                    Attributes(
                        verb="impersonate", group="authentication.k8s.io", resource="userextras",
                        subresource=key, name=value,
                    ),
                )  # fmt: skip
                extra[key] = (value,)
        if uid := headers.get("impersonate-uid", ""):
            self._may_impersonate(
                user,
                Attributes(
                    verb="impersonate", group="authentication.k8s.io", resource="uids", name=uid
                ),
            )
        made = User(name=name, groups=tuple(groups), uid=uid, extra=extra)
        return made if name == ANONYMOUS.name else _authenticated(made)

    def _may_impersonate(self, user: User, asked: Attributes) -> None:
        if self.why(user, asked) is None:
            raise refusal(user, asked)


@lru_cache(maxsize=1024)
def _impersonates(names: tuple[str, ...]) -> bool:
    return any(name.startswith(_IMPERSONATE) for name in names)


def attributes_of(asked: Target) -> Attributes:
    """What RBAC sees of a request."""
    return Attributes(
        verb=asked.verb, group=asked.group, resource=asked.resource,
        subresource=asked.subresource, namespace=asked.namespace, name=asked.name or asked.selected,
        path=asked.path if not asked.resource else "",
    )  # fmt: skip


def refusal(user: User, asked: Attributes) -> ApiError:
    """Forbidden, in the very words of Kubernetes."""
    if not asked.resource:
        said = f'forbidden: User "{user.name}" cannot {asked.verb} path "{asked.path}"'
        return ApiError("Forbidden", said)
    plural = f"{asked.resource}.{asked.group}" if asked.group else asked.resource
    what = f'{plural} "{asked.name}"' if asked.name else plural
    where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    return ApiError(
        "Forbidden",
        f'{what} is forbidden: User "{user.name}" cannot {asked.verb} resource "{asked.full}" in '
        f'API group "{asked.group}" {where}',
        kind=asked.resource,
        group=asked.group,
        name=asked.name,
    )


def _authenticated(user: User) -> User:
    if AUTHENTICATED in user.groups:
        return user
    return msgspec.structs.replace(user, groups=(*user.groups, AUTHENTICATED))


def _account(name: str) -> tuple[str, str]:
    parts = name.split(":")
    if len(parts) == 4 and parts[:2] == ["system", "serviceaccount"]:
        return parts[2], parts[3]
    return "", ""
