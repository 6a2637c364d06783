"""`Client` and `AsyncClient`: one list of operations, typed for both.

An `Operation` is written once as a generator; accessed through a client it is a plain call, through
an asynchronous client something to await. `Flow` is the same for operations that emit values.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

from athanor.sdk import claims, code, happenings, jobs, life, listing, logs, objects, usage, why
from athanor.sdk.drive import SyncDriver
from athanor.sdk.jobs import Scope
from athanor.sdk.steps import Op

P = ParamSpec("P")
T = TypeVar("T")


class Driver(Protocol):
    """Carries operations out: `SyncDriver`, `AsyncDriver`, or a test's own."""

    def run(self, op: Op[Any]) -> Any:
        """The operation's value (or something to await for it)."""

    def iterate(self, op: Op[Any]) -> Any:
        """The values the operation emits, as an iterator of the driver's kind."""


class Operation(Generic[P, T]):
    """One operation of both clients."""

    def __init__(self, of: Callable[Concatenate[Scope, P], Op[T]]) -> None:
        self.of = of
        self.__doc__ = of.__doc__

    @overload
    def __get__(self, client: Client, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: AsyncClient, owner: type) -> Callable[P, Awaitable[T]]: ...
    @overload
    def __get__(self, client: None, owner: type) -> Operation[P, T]: ...
    def __get__(self, client: Any, owner: type) -> Any:
        """The operation, bound to a client."""
        if client is None:
            return self

        def call(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client.driver.run(self.of(client.scope, *args, **kwargs))

        call.__doc__ = self.__doc__
        return call


class Flow(Generic[P, T]):
    """One operation that hands out values as they come."""

    def __init__(self, of: Callable[Concatenate[Scope, P], Op[None]], emits: type[T]) -> None:
        self.of = of
        self.emits = emits
        self.__doc__ = of.__doc__

    @overload
    def __get__(self, client: Client, owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, client: AsyncClient, owner: type) -> Callable[P, AsyncIterator[T]]: ...
    @overload
    def __get__(self, client: None, owner: type) -> Flow[P, T]: ...
    def __get__(self, client: Any, owner: type) -> Any:
        """The operation, bound to a client."""
        if client is None:
            return self

        def call(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client.driver.iterate(self.of(client.scope, *args, **kwargs))

        call.__doc__ = self.__doc__
        return call


class _Operations:
    """Everything a client can do."""

    submit = Operation(jobs.submit)
    home_queue = Operation(jobs.home_queue)
    placed = Operation(jobs.placed)
    list_jobs = Operation(jobs.list_jobs)
    job_lines = Operation(listing.job_lines)
    job = Operation(jobs.job)
    wait = Operation(jobs.wait)
    suspend = Operation(jobs.suspend)
    resume = Operation(jobs.resume)
    delete_job = Operation(jobs.delete_job)
    has_claims = Operation(claims.has_claims)
    job_claims = Operation(claims.job_claims)
    keep_data = Operation(claims.keep_data)
    restart = Operation(life.restart)
    resize = Operation(life.resize)
    prioritize = Operation(life.prioritize)
    move = Operation(life.move)
    clone = Operation(life.clone)
    upload = Operation(code.upload)
    ranks = Operation(logs.ranks)
    logs = Flow(logs.logs, logs.LogLine)
    usage = Operation(usage.usage)
    why = Operation(why.why)
    get = Operation(objects.get)
    list = Operation(objects.list_)
    table = Operation(objects.table)
    create = Operation(objects.create)
    patch = Operation(objects.patch)
    apply = Operation(objects.apply)
    delete = Operation(objects.delete)
    events = Operation(happenings.events)
    version = Operation(objects.version)


class Client(_Operations):
    """Talks to the API server of the kubeconfig's context (see `athanor.sdk.connect`).

    A context manager; calls raise `athanor.wire.status.ApiError`.
    """

    def __init__(
        self,
        *,
        kubeconfig: str | None = None,
        context: str | None = None,
        namespace: str | None = None,
        driver: Driver | None = None,
    ) -> None:
        if driver is None:
            from athanor.sdk import connect  # noqa: PLC0415 - only when there is a server to reach

            transport, default = connect.sync(kubeconfig, context)
            driver, namespace = SyncDriver(transport), namespace or default
        self.driver = driver
        self.scope = Scope(namespace or "default")

    def close(self) -> None:
        """Give connections back."""
        closing = getattr(self.driver, "close", None)
        if closing is not None:
            closing()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class AsyncClient(_Operations):
    """`Client` for an event loop: the same operations, to be awaited.

    An asynchronous context manager.
    """

    def __init__(
        self,
        *,
        kubeconfig: str | None = None,
        context: str | None = None,
        namespace: str | None = None,
        driver: Driver | None = None,
    ) -> None:
        if driver is None:
            from athanor.sdk import connect  # noqa: PLC0415 - asyncio only for who asks for it

            driver, default = connect.asynchronous(kubeconfig, context)
            namespace = namespace or default
        self.driver = driver
        self.scope = Scope(namespace or "default")

    async def close(self) -> None:
        """Give connections back."""
        closing = getattr(self.driver, "close", None)
        if closing is not None:
            await closing()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
