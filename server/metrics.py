"""Numbers for Prometheus. A label never holds anything of a user. Each worker process counts for itself."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mail.outbox import Observer

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

# A line for each counter that nobody asks for.
disable_created_metrics()  # type: ignore[no-untyped-call]


class _Executions(Collector):
    def __init__(self, counts: Mapping[str, int]) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        """Return the counter as it stands."""
        family = CounterMetricFamily(
            "postfach_executions",
            "Queries and mutations by how they were executed: compiled; replayed, after an error; not compiled.",
            labels=["way"],
        )
        for way, count in self._counts.items():
            family.add_metric([way], count)
        yield family


class Operations(Collector):
    """Operations and how long they took. Counted by one thread: the library's own counters cost a lock or two for each."""

    def __init__(self) -> None:
        self.numbers: dict[tuple[str, str], int] = {}
        """By kind and outcome."""
        self._buckets: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}

    def count(self, kind: str, outcome: str, seconds: float | None) -> None:
        """Count one; of a subscription without the `seconds` that it took."""
        numbers, key = self.numbers, (kind, outcome)
        numbers[key] = numbers.get(key, 0) + 1
        if seconds is not None:
            buckets = self._buckets.get(kind)
            if buckets is None:
                buckets = self._buckets[kind] = [0] * (len(SECONDS) + 1)
            buckets[bisect_left(SECONDS, seconds)] += 1
            self._seconds[kind] = self._seconds.get(kind, 0.0) + seconds

    def collect(self) -> Iterator[Metric]:
        """Return the numbers as they stand."""
        numbers = CounterMetricFamily(
            "postfach_operations",
            "GraphQL operations by kind (query, mutation, subscription, none) and outcome (ok, errors, refused).",
            labels=["kind", "outcome"],
        )
        for key, number in tuple(self.numbers.items()):
            numbers.add_metric(key, number)
        yield numbers
        seconds = HistogramMetricFamily(
            "postfach_operation_seconds", "How long queries and mutations took.", labels=["kind"]
        )
        ends = [
            floatToGoString(each)  # type: ignore[no-untyped-call]  # it has no types
            for each in (*SECONDS, float("inf"))
        ]
        for kind, buckets in tuple(self._buckets.items()):
            so_far = list(accumulate(buckets))
            seconds.add_metric([kind], list(zip(ends, so_far, strict=True)), self._seconds[kind])
        yield seconds


class Metrics:
    """What one process counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.operations = Operations()
        self.registry.register(self.operations)
        self.held_up = Counter(
            "postfach_operations_held_up",
            "Operations that had to wait since their viewer or address had used more than its share.",
            registry=self.registry,
        )
        self.errors = Counter(
            "postfach_errors", "GraphQL errors by extensions.code.", ["code"], registry=self.registry
        )
        self.sign_ins = Counter(
            "postfach_sign_ins", "Attempts to sign in by outcome.", ["outcome"], registry=self.registry
        )
        self.one_time_links = Counter(
            "postfach_one_time_links",
            "Presses of the button behind a letter's link by outcome.",
            ["outcome"],
            registry=self.registry,
        )
        self.sockets = Gauge("postfach_sockets", "Open WebSockets.", registry=self.registry)
        self.subscriptions = Gauge("postfach_subscriptions", "Open subscriptions.", registry=self.registry)
        self.closed = Counter(
            "postfach_sockets_closed",
            "WebSockets that the server closed, by code.",
            ["code"],
            registry=self.registry,
        )

        self.open_session_endings = Gauge(
            "postfach_open_session_endings",
            "Mailboxes with a new password whose older sessions are still to be ended on the mail server.",
            registry=self.registry,
        )

        self.letters = Counter(
            "postfach_letters",
            "Attempts to hand letters over by outcome, and letters given up.",
            ["outcome"],
            registry=self.registry,
        )
        self.waiting_letters = Gauge(
            "postfach_waiting_letters", "Letters that wait to be sent.", registry=self.registry
        )
        self.letters_blocked = Gauge(
            "postfach_letters_blocked",
            "1 while no letter can be sent until somebody changes a setting.",
            registry=self.registry,
        )

    def watch_executions(self, counts: Mapping[str, int]) -> None:
        """Show how many queries and mutations were executed in which way, as `counts` says it at each look."""
        self.registry.register(_Executions(counts))

    def count_operation(self, kind: str, outcome: str, codes: Iterable[str], seconds: float | None) -> None:
        """Count an operation; of a subscription without the `seconds` that it took."""
        self.operations.count(kind, outcome, seconds)
        for code in codes:
            self.errors.labels(code).inc()

    def count_sign_in(self, outcome: str) -> None:
        """Count an attempt to sign in."""
        self.sign_ins.labels(outcome).inc()

    def outbox_observer(self) -> Observer:
        """Return what the outbox tells how things stand."""
        return Observer(
            count=lambda outcome: self.letters.labels(outcome).inc(),
            waiting=self.waiting_letters.set,
            trouble=self.letters_blocked.set,
        )

    def route(self) -> Route:
        """Return `/metrics`."""

        def metrics(_: Request) -> Response:
            return Response(
                generate_latest(self.registry),
                media_type=CONTENT_TYPE_LATEST,
                headers={"Cache-Control": "no-store"},
            )

        return Route("/metrics", metrics, methods=["GET"])
