"""The agent's HTTPS server: a kubelet's paths, for those who may."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import msgspec

from athanor.kit import crilog
from athanor.kit.http import Exchange, HttpServer
from athanor.local.agent import recall, streams
from athanor.local.agent.kubelet import channels, command, forward, spoken, summary
from athanor.local.agent.kubelet.access import Access
from athanor.local.agent.kubelet.metrics import Metrics
from athanor.local.agent.kubelet.serving import Serving
from athanor.local.agent.node import Node, log_path
from athanor.local.agent.plan.observed import Run
from athanor.local.agent.supervised import Refused
from athanor.wire.status import ApiError

if TYPE_CHECKING:
    from athanor.local.agent.worker import Worker

log = logging.getLogger(__name__)
_SPEAKS = "speaks WebSocket and SPDY/3.1, each with v4.channel.k8s.io"


class Kubelet:
    """Answers for the pods in `workers` (uid → worker)."""

    def __init__(self, node: Node, workers: dict[str, Worker]) -> None:
        self._node = node
        self._workers = workers
        self._server = HttpServer(self._handle)
        self._access = Access(node)
        self._serving = Serving(node)
        self._metrics = Metrics(node, workers)
        self.run = self._serving.run

    async def start(self) -> int:
        """Listen on the node's address; returns the port."""
        settings = self._node.settings
        return await self._server.start(settings.address, settings.port, self._serving.tls)

    async def close(self) -> None:
        """Stop serving."""
        await self._server.close(0.2)

    async def _handle(self, exchange: Exchange) -> None:
        try:
            await self._route(exchange)
        except ApiError as error:
            said = error.response()
            await exchange.respond(said.status, said.body, said.content_type, said.headers)
        except (Refused, OSError) as error:
            said = ApiError("InternalError", str(error)).response()
            await exchange.respond(said.status, said.body, said.content_type, said.headers)

    async def _route(self, exchange: Exchange) -> None:
        parts = exchange.path.strip("/").split("/")
        if parts == ["healthz"]:
            await exchange.respond(200, b"ok", "text/plain", {})
            return
        await self._access.check(exchange)
        match parts:
            case ["containerLogs", namespace, pod, container]:
                await self._logs(exchange, self._find(namespace, pod), container)
            case ["exec", namespace, pod, container] | ["exec", namespace, pod, _, container]:
                await self._exec(exchange, self._find(namespace, pod), container)
            case ["attach", namespace, pod, container] | ["attach", namespace, pod, _, container]:
                await self._attach(exchange, self._find(namespace, pod), container)
            case ["portForward", namespace, pod] | ["portForward", namespace, pod, _]:
                await self._forward(exchange, self._find(namespace, pod))
            case ["stats", "summary"]:
                body = msgspec.json.encode(await summary.summary(self._node, self._workers))
                await exchange.respond(200, body, "application/json", {})
            case ["metrics", "resource"]:
                text = await summary.metrics(self._node, self._workers)
                await exchange.respond(200, text.encode(), "text/plain; version=0.0.4", {})
            case ["apis", "metrics.k8s.io", *_]:
                said = await self._metrics.answer(exchange.path, dict(exchange.query))
                await exchange.respond(200, msgspec.json.encode(said), "application/json", {})
            case ["pods"]:
                items = [worker.pod for worker in self._workers.values()]
                body = msgspec.json.encode({"kind": "PodList", "apiVersion": "v1", "items": items})
                await exchange.respond(200, body, "application/json", {})
            case _:
                raise ApiError("NotFound", f"this node serves no {exchange.path}")

    def _find(self, namespace: str, name: str) -> Worker:
        for worker in self._workers.values():
            meta = worker.pod["metadata"]
            if meta["name"] == name and meta["namespace"] == namespace:
                return worker
        raise ApiError("NotFound", f'pod "{name}" is not on this node', kind="Pod", name=name)

    async def _logs(self, exchange: Exchange, worker: Worker, container: str) -> None:
        query = dict(exchange.query)
        run = _newest(worker, container, previous=_true(query.get("previous")))
        wish = wish_of(query, self._node.clock.now())
        path = log_path(self._node.settings, worker.pod, container, run.attempt)

        def running() -> bool:
            now = worker.runs.get((container, run.attempt))
            return now is not None and now.running and worker.uid in self._workers

        await exchange.stream(200, crilog.read(path, wish, running), "text/plain", {})

    async def _exec(self, exchange: Exchange, worker: Worker, container: str) -> None:
        run = _running(worker, container)
        argv = [value for name, value in exchange.query if name == "command"]
        query = dict(exchange.query)
        if not argv:
            raise ApiError("BadRequest", "you must specify at least 1 command for the container")
        socket = await spoken.command(exchange, query)
        if socket is None:
            raise ApiError("BadRequest", f"exec {_SPEAKS}")
        stdin = spoken.asks(query, "stdin", "input")
        key = recall.key_of(worker.uid, container, run.attempt)
        try:
            process = await self._node.executor.start(
                key, argv, stdin=stdin, tty=_true(query.get("tty"))
            )
        except (Refused, OSError) as error:
            said = f"error executing command in container: {error}"
            await socket.send(channels.status(channels.failure(said)))
        else:
            await command.execute(socket, process)
        await socket.close()

    async def _attach(self, exchange: Exchange, worker: Worker, container: str) -> None:
        run = _running(worker, container)
        query = dict(exchange.query)
        socket = await spoken.command(exchange, query)
        if socket is None:
            raise ApiError("BadRequest", f"attach {_SPEAKS}")
        stdin = None
        key = recall.key_of(worker.uid, container, run.attempt)
        spec = worker.preparation.container_of(container)
        if spoken.asks(query, "stdin", "input") and spec.get("stdin"):
            once = bool(spec.get("stdinOnce"))
            _, files = await self._node.supervised.ask_files("stdin", key=key, once=once)
            stdin = streams.Writer(files[0])
        path = log_path(self._node.settings, worker.pod, container, run.attempt)

        def log_of(stream: str) -> AsyncIterator[bytes]:
            wish = crilog.Wish(follow=True, tail=0, stream=stream)
            return crilog.read(path, wish, lambda: worker.runs[container, run.attempt].running)

        await command.attach(socket, stdin, log_of, bool(spec.get("tty")))
        if stdin is not None:
            stdin.close()
        await socket.close()

    async def _forward(self, exchange: Exchange, worker: Worker) -> None:
        if not any(run.running for run in worker.runs.values()):
            raise ApiError("BadRequest", "unable to forward port because pod is not running.")
        ports = [int(v) for name, v in exchange.query if name in ("port", "ports")]
        if not ports and "v4.channel" in exchange.headers.get("sec-websocket-protocol", ""):
            raise ApiError("BadRequest", "query parameter port is required")
        socket = await spoken.forwarding(exchange)
        if socket is None:
            raise ApiError("BadRequest", f"port-forward speaks {spoken.UPGRADE} and WebSocket")

        async def dial(port: int) -> forward.Stream:
            return await self._node.dial(worker.uid, "127.0.0.1", port)

        if socket.protocol == forward.CHANNELS:
            await forward.channels(socket, ports, dial)
        else:
            await forward.tunnel(socket, dial)
        await socket.close()


def wish_of(query: dict[str, str], now: float) -> crilog.Wish:
    """PodLogOptions from a query. Raises ApiError(BadRequest)."""
    try:
        return crilog.wish_of(query, now)
    except ValueError as error:
        raise ApiError("BadRequest", f"log options: {error}") from None


def _true(value: str | None) -> bool:
    return value in crilog.TRUE


def _newest(worker: Worker, container: str, *, previous: bool) -> Run:
    name = worker.pod["metadata"]["name"]
    runs = sorted(
        (run for run in worker.runs.values() if run.name == container), key=lambda r: r.attempt
    )
    if previous:
        runs = runs[:-1]
        if not runs:
            said = f'previous terminated container "{container}" in pod "{name}" not found'
            raise ApiError("BadRequest", said)
    if not runs:
        hold = worker.holds.get(container)
        why = hold.reason if hold else "ContainerCreating"
        said = f'container "{container}" in pod "{name}" is waiting to start: {why}'
        raise ApiError("BadRequest", said)
    return runs[-1]


def _running(worker: Worker, container: str) -> Run:
    run = _newest(worker, container, previous=False)
    if not run.running:
        raise ApiError("BadRequest", f'container "{container}" is not running')
    return run
