"""What the server tells about itself: metrics of every answer, and the audit log."""

from __future__ import annotations

from collections.abc import Callable

from athanor.kit.telemetry import CONTENT_TYPE, Counter, Gauge, Histogram, Registry
from athanor.local.apiserver.audit import Audit
from athanor.local.apiserver.route import Target
from athanor.local.store.store import Store
from athanor.wire.request import Request, Response, User

Answered = Callable[[Request, Target | None, User | None, int, float], None]
"""Told of every answer: what was asked, by whom, the code, and the seconds it took."""


class Observatory:
    """Metrics under the names that kube-apiserver has, and the audit log if there is one."""

    def __init__(self, store: Store, audit: Audit | None = None) -> None:
        self.registry = Registry()
        self._audit = audit
        labels = ("verb", "group", "resource", "subresource", "code")
        self._requests = Counter(
            "apiserver_request_total", "Answered requests, by what was asked and the code.", labels
        )
        self._seconds = Histogram(
            "apiserver_request_duration_seconds",
            "Seconds until the answer (of a watch: until it began).",
            ("verb", "resource"),
        )
        self.registry.add(self._requests)
        self.registry.add(self._seconds)
        for gauge in _store_gauges(store):
            self.registry.add(gauge)

    def add_in_flight(
        self,
        read: Callable[[], dict[tuple[str, ...], float]],
        queued: Callable[[], dict[tuple[str, ...], float]],
    ) -> None:
        """Show what the HTTP server is answering at the moment, and what waits for its turn."""
        self.registry.add(
            Gauge(
                "apiserver_current_inqueue_requests",
                "Requests that wait for their turn, by kind.",
                queued,
                ("request_kind",),
            )
        )
        self.registry.add(
            Gauge(
                "apiserver_current_inflight_requests",
                "Requests being answered, by kind.",
                read,
                ("request_kind",),
            )
        )

    def answered(
        self, request: Request, target: Target | None, user: User | None, code: int, took: float
    ) -> None:
        """Take one answer in."""
        if target is not None:
            labels = (target.verb, target.group, target.resource, target.subresource, str(code))
            self._requests.add(labels)
            self._seconds.observe(took, (target.verb, target.resource))
        if self._audit is not None:
            self._audit.record(request, target, user, code, took)

    def metrics(self) -> Response:
        """The answer of /metrics."""
        return Response(body=self.registry.text(), content_type=CONTENT_TYPE)


def _store_gauges(store: Store) -> list[Gauge]:
    return [
        Gauge(
            "apiserver_storage_objects",
            "Stored objects, by resource.",
            lambda: {(resource,): count for resource, count in store.counts().items()},
            ("resource",),
        ),
        Gauge("apiserver_registered_watchers", "Open watches.", lambda: {(): store.watchers}),
        Gauge("athanor_store_revision", "Newest revision.", lambda: {(): store.revision}),
        Gauge(
            "athanor_store_compacted_revision",
            "Oldest revision that can be read.",
            lambda: {(): store.compacted},
        ),
        Gauge(
            "athanor_store_history_bytes",
            "Bytes of the changes kept for watches.",
            lambda: {(): store.history_bytes},
        ),
    ]
