"""The whole API server as a function: `handle(request) → Response | Stream | Forward`."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeVar

import msgspec

from athanor.api.meta import JSON
from athanor.kit.clock import Clock, SystemClock
from athanor.kit.ids import Ids, RandomIds
from athanor.local.apiserver import (
    errors,
    follow,
    health,
    nodes,
    patching,
    read,
    refusals,
    remove,
    show,
    subresources,
    views,
    write,
)
from athanor.local.apiserver.aggregation import Aggregation
from athanor.local.apiserver.auth import escalation, restriction
from athanor.local.apiserver.auth.auth import FOLLOWED, Auth
from athanor.local.apiserver.builtin import all_served
from athanor.local.apiserver.catalog import Catalog
from athanor.local.apiserver.collect.house import House
from athanor.local.apiserver.core import Call, Core, Outcome, Write
from athanor.local.apiserver.crds import Crds
from athanor.local.apiserver.discovery import Discovery
from athanor.local.apiserver.gathering import Gathering
from athanor.local.apiserver.observe import Observatory
from athanor.local.apiserver.route import Target, route
from athanor.local.store.store import Store
from athanor.wire.request import Answer, Forward, Request, Response, Stream, User
from athanor.wire.status import ApiError


class Authenticator(Protocol):
    """Who asks."""

    def authenticate(self, request: Request) -> User:
        """The user of a request. Raises ApiError Unauthorized."""


class Authorizer(Protocol):
    """Who may."""

    def authorize(self, user: User, target: Target) -> None:
        """Nothing when allowed. Raises ApiError Forbidden."""


class Anyone:
    """Everyone is the administrator: for tests of the rules themselves."""

    def authenticate(self, request: Request) -> User:
        """The transport's identity, else an administrator."""
        return request.peer or User(name="admin", groups=("system:masters", "system:authenticated"))

    def authorize(self, user: User, target: Target) -> None:
        """Everything is allowed."""


Verb = Callable[[Core, Call], Awaitable[Answer]]


class ApiServer:
    """The server over a store. What happens by itself begins with the first request.

    `close` ends it. An `Auth` as authenticator also answers reviews and makes tokens.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock | None = None,
        ids: Ids | None = None,
        authenticator: Authenticator | None = None,
        authorizer: Authorizer | None = None,
        observatory: Observatory | None = None,
    ) -> None:
        anyone = Anyone()
        catalog = Catalog(all_served())
        self.core = Core(store, clock or SystemClock(), ids or RandomIds(), catalog)
        if isinstance(authenticator, Auth):
            self.auth = authenticator
        else:
            self.auth = Auth(store, self.core.clock, secrets.token_bytes(32))
            self.follow(self.auth)
        self.authenticator = authenticator or anyone
        self.authorizer = authorizer or anyone
        self.discovery = Discovery(catalog)
        self.checks: dict[str, health.Check] = {"ping": lambda: "", "store": self._store_check}
        self.observatory = observatory or Observatory(store)
        self.house = House(self.core)
        self._awake = False
        self.crds = Crds(self.core, self.house.work)
        self.crds.load()
        self.aggregation = Aggregation(self.core, self.house.work)
        self.discovery.elsewhere = self.aggregation.versions
        self.core.judges.append(self._escalates)
        self.gathering = Gathering(self.core, self.house.work, self.auth)
        self.house.load()

    def follow(self, auth: Auth) -> None:
        """Tell an `Auth` of the writes that its answers depend on."""
        self.core.follow(lambda s, old, new: auth.changed(s.key, old, new), FOLLOWED)

    def _escalates(self, call: Call, new: JSON, old: JSON | None) -> None:
        key = call.served.key
        if key in FOLLOWED:  # roles, bindings, pods
            escalation.check(self.auth, call.user, key, new, old)
        restriction.check(call.user, key, new, old)

    async def close(self) -> None:
        """End what happens by itself."""
        await self.house.close()

    def _store_check(self) -> str:
        return self.core.store.failing

    async def handle(self, request: Request) -> Answer:
        """Answer one request. Errors are answers too."""
        clock, user, target = self.core.clock, None, None
        began = clock.monotonic()
        if not self._awake:
            self._awake = True
            self.house.work.kick()
        answer: Answer
        try:
            user = self.authenticator.authenticate(request)
            target = route(request)
            self.authorizer.authorize(user, target)
            if target.is_resource:
                answer = await self._resource(request, target, user)
            else:
                answer = self._path(request, target, user)
        except ApiError as refused:
            answer = refused.response()
        code = 200 if isinstance(answer, Forward) else answer.status
        self.observatory.answered(request, target, user, code, clock.monotonic() - began)
        return answer

    def _path(self, request: Request, target: Target, user: User) -> Answer:
        """Whatever is no resource."""
        answer = self.discovery.answer(request)
        if answer is not None:
            return answer
        parts = request.path.strip("/").split("/")
        if len(parts) == 3 and parts[0] == "apis":
            onward = self.aggregation.forward(request, user, parts[1], parts[2])
            if onward is not None:
                return onward
            if self.discovery.knows(parts[1]):
                raise errors.no_resource()
        head = request.path.strip("/").partition("/")[0]
        if head == "version":
            if request.method not in ("GET", "HEAD"):
                raise errors.no_method()
            return health.version()
        if head in ("livez", "readyz", "healthz"):
            answer = health.health(request, self.checks)
        elif head == "metrics":
            answer = self.observatory.metrics()
        elif not head:
            answer = health.paths(self.core.catalog)
        if answer is None and (why := refusals.told(target)):
            raise errors.no_resource(why)
        if answer is None and len(parts) > 1 and parts[0] == "api":
            raise errors.no_resource()
        return _nothing() if answer is None else answer

    async def _resource(self, request: Request, target: Target, user: User) -> Answer:
        served = self.core.catalog.find(target.group, target.version, target.resource)
        if served is None:
            onward = self.aggregation.forward(request, user, target.group, target.version)
            if onward is None and self.core.catalog.has_custom(target.group):
                return _nothing()  # definitions' groups have no path for what they do not define
            if onward is None:
                raise errors.no_resource(refusals.told(target))
            return onward
        if not target.subresource and bool(target.name) is not (target.verb in _OF_ONE):
            raise errors.no_method()
        if served.resource.namespaced and not target.namespace:
            if target.name:
                raise errors.no_resource()
            if target.verb in _IN_ONE:
                raise errors.no_method()
        elif not served.resource.namespaced and _inside(target):
            raise errors.no_resource()
        call = Call(
            request=request, target=target, user=user, served=served,
            dry_run=request.param("dryRun") == "All",
            validation=request.param("fieldValidation") or "Warn",
            manager=_manager(request),
        )  # fmt: skip
        if served.warning and (not target.subresource or target.subresource in served.subs):
            call.warnings.append(served.warning)
        if request.query and target.verb in _OPTIONS:
            _check_options(call)
        try:
            return await self._answered(call)
        except ApiError as refused:
            return _warned(call, refused.response())

    async def _answered(self, call: Call) -> Answer:
        target, served = call.target, call.served
        if target.subresource:
            return await self._sub(call)
        if not served.stored and target.name:
            raise errors.no_resource()
        if target.verb not in served.verbs:
            raise errors.no_method()
        if served.resource.kind == "Binding":
            return _answer(self.core, call, await subresources.bind_named(self.core, call))
        if not served.stored:
            return _answer(self.core, call, await subresources.reviewed(self.core, call, self.auth))
        if served.storage and target.verb in _VIEW_WRITES:
            return _answer(self.core, call, await _VIEW_WRITES[target.verb](self.core, call))
        return await _VERBS[target.verb](self.core, call)

    async def _sub(self, call: Call) -> Answer:
        sub = call.served.subs.get(call.target.subresource)
        if sub is None and call.served.custom:
            raise errors.not_found(call.resource, call.target.name)
        if sub is None:
            raise errors.no_resource(refusals.told(call.target))
        if call.target.verb not in sub.verbs:
            raise errors.no_method()
        if sub.name in ("status", "finalize"):
            return await _VERBS[call.target.verb](self.core, call)
        if sub.name in _NODE_SUBS:
            if call.target.verb == "get" and sub.name != "log":
                # a WebSocket begins with GET; what it does is still a creation
                created = msgspec.structs.replace(call.target, verb="create")
                self.authorizer.authorize(call.user, created)
            return await _NODE_SUBS[sub.name](self.core, call)
        if sub.name == "token":
            return _answer(self.core, call, await subresources.token(self.core, call, self.auth))
        return _answer(self.core, call, await _OWN_SUBS[sub.name](self.core, call))


def _nothing() -> Response:
    """The answer where there is no path at all."""
    text = "text/plain; charset=utf-8"
    return Response(status=404, body=b"404 page not found\n", content_type=text)


def _inside(target: Target) -> bool:
    """Whether the path goes through a namespace, other than to it itself."""
    return bool(target.namespace) and target.resource != "namespaces"


_OF_ONE = frozenset(("get", "update", "patch", "delete"))
_IN_ONE = frozenset(("create", "deletecollection"))
_OPTIONS = {
    "create": "CreateOptions", "update": "UpdateOptions", "patch": "PatchOptions",
    "delete": "DeleteOptions", "deletecollection": "DeleteOptions",
}  # fmt: skip
_VALIDATIONS = ("Ignore", "Strict", "Warn")
_MANAGER_LIMIT = 128


def _check_options(call: Call) -> None:
    """The query of a write. Raises Invalid."""
    causes = []
    dry = [value for key, value in call.request.query if key == "dryRun"]
    if dry and dry != ["All"]:
        causes.append(errors.unsupported("dryRun", dry, ["All"]))
    if call.validation not in _VALIDATIONS:
        causes.append(errors.unsupported("fieldValidation", call.validation, ("", *_VALIDATIONS)))
    manager = call.request.param("fieldManager") or ""
    if len(manager) > _MANAGER_LIMIT:
        causes.append(errors.too_long("fieldManager", _MANAGER_LIMIT))
    odd = next((i for i, c in enumerate(manager) if not c.isprintable()), None)
    if odd is not None:
        said = f"invalid character U+{ord(manager[odd]):04X} (at position {odd})"
        causes.append(errors.wrong("fieldManager", manager, said))
    if causes:
        raise errors.options(_OPTIONS[call.target.verb], causes)


def _manager(request: Request) -> str:
    """Who writes, for managedFields: as said, else the client's name for itself."""
    said = request.param("fieldManager")
    if said or request.headers.get("content-type", "").startswith(patching.APPLY):
        return said or ""
    return request.headers.get("user-agent", "").partition("/")[0] or "unknown"


_NODE_SUBS: Mapping[str, Verb] = {
    "log": nodes.log,
    "exec": nodes.execute,
    "attach": nodes.execute,
    "portforward": nodes.port_forward,
}
_OWN_SUBS: Mapping[str, Write] = {
    "binding": subresources.bind,
    "eviction": subresources.evict,
    "scale": subresources.scale,
}


async def _get(core: Core, call: Call) -> Answer:
    return _warned(call, show.one(core, call, read.get(core, call).body))


async def _list(core: Core, call: Call) -> Answer:
    return _warned(call, show.many(core, call, read.list_page(core, call)))


async def _watch(core: Core, call: Call) -> Answer:
    wish = show.wish_of(call)
    plan = follow.Plan(
        core, call, show.view_of(core, call, wish, headed=False), show.shape_of(call, wish)
    )
    if wish.as_ == "Table":
        plan.first = show.view_of(core, call, wish)
    return _warned(call, Stream(chunks=follow.frames_of(plan)))


def _answer(core: Core, call: Call, outcome: Outcome) -> Response:
    return _warned(call, show.one(core, call, outcome.body, outcome.code))


_Said = TypeVar("_Said", Response, Stream)


def _warned(call: Call, answer: _Said) -> _Said:
    """The answer with what the client should know."""
    if not call.warnings:
        return answer
    said = ", ".join(f"299 - {msgspec.json.encode(w).decode()}" for w in call.warnings)
    return msgspec.structs.replace(answer, headers={"Warning": said})


async def _create(core: Core, call: Call) -> Answer:
    return _answer(core, call, await write.create(core, call))


async def _update(core: Core, call: Call) -> Answer:
    return _answer(core, call, await write.update(core, call))


async def _patch(core: Core, call: Call) -> Answer:
    return _answer(core, call, await patching.patch(core, call))


async def _delete(core: Core, call: Call) -> Answer:
    return _answer(core, call, await remove.delete(core, call))


async def _delete_collection(core: Core, call: Call) -> Answer:
    page = read.list_page(core, call)
    return _answer(core, call, await remove.delete_collection(core, call, page))


_VIEW_WRITES: Mapping[str, Write] = {
    "create": views.create,
    "update": views.update,
    "patch": views.patch,
    "delete": views.delete,
    "deletecollection": views.delete_collection,
}
_VERBS: Mapping[str, Verb] = {
    "get": _get,
    "list": _list,
    "watch": _watch,
    "create": _create,
    "update": _update,
    "patch": _patch,
    "delete": _delete,
    "deletecollection": _delete_collection,
}
