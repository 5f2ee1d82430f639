"""Traces for OpenTelemetry, where the operator names a collector: a span for each request, operation, unit of work and statement.

This module is imported then alone. A span tells what the log tells: the kind and the name of an operation, the viewer's id,
codes, and how long it took. Of a statement it holds the text with every literal replaced, and no parameter. No document, no
variable, no header, no query string and no message of an exception is in a span.

The collector's headers, what is sampled and how much is kept are OpenTelemetry's own settings (`OTEL_…` in the environment).
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from functools import lru_cache
from typing import TYPE_CHECKING

from opentelemetry import context as current
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers

if TYPE_CHECKING:
    from opentelemetry.context import Context as SpanContext
    from opentelemetry.util.types import AttributeValue
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from schema.context import Context
    from server.execution import Executed

METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
UNTRACED = frozenset({"/healthz", "/readyz", "/metrics"})
"""What is asked every few seconds by machines."""
PATH = "/v1/traces"
LONGEST_STATEMENT = 4_000
LAST_SECONDS = 3
"""How long the last spans may take when the server ends."""
FAULT = 500
LITERALS = re.compile(r"'(?:[^']|'')*'|(?<![\w$.])\d+(?:\.\d+)?\b")

_parent = TraceContextTextMapPropagator()
_operation: ContextVar[tuple[Span, Token[SpanContext]] | None] = ContextVar("operation", default=None)

# They would repeat what the collector answers.
logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)


@lru_cache(maxsize=1024)
def without_literals(statement: str) -> str:
    """Return a statement on one line with `?` for every text and number in it."""
    return LITERALS.sub("?", " ".join(statement.split()))[:LONGEST_STATEMENT]


class Tracing:
    """What one process tells a collector, in batches from a thread of its own."""

    def __init__(self, url: str, system: str) -> None:
        # What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say comes first.
        resource = Resource({SERVICE_NAME: "postfach"}).merge(_told())
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._exporter = OTLPSpanExporter(endpoint=f"{url}{PATH}")
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("postfach")
        self._system = system

    async def close(self) -> None:
        """Send what is left, and end; a collector that is away is given up soon."""
        giving_up = asyncio.get_running_loop().call_later(LAST_SECONDS, self._exporter.shutdown)
        await asyncio.to_thread(self._provider.shutdown)
        giving_up.cancel()

    # ---------------------------------------------------------------- spans

    @contextmanager
    def _span(
        self,
        name: str,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Mapping[str, str] | None = None,
        parent: SpanContext | None = None,
    ) -> Iterator[Span]:
        """Have a span around the block; of what is raised it holds the class."""
        with self._tracer.start_as_current_span(
            name,
            parent,
            kind,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except BaseException as error:
                _fail(span, type(error).__qualname__)
                raise

    @contextmanager
    def statement(self, statement: str) -> Iterator[None]:
        """Have a span around a statement, or around a unit of work where the text is empty; none outside of a request."""
        if not trace.get_current_span().get_span_context().is_valid:
            yield
            return
        if not statement:
            with self._span("unit of work"):
                yield
            return
        text = without_literals(statement)
        name = text.partition(" ")[0]
        told = {"db.system.name": self._system, "db.operation.name": name, "db.query.text": text}
        with self._span(name, SpanKind.CLIENT, told):
            yield

    def begin_operation(self) -> None:
        """Begin the span of an operation; what the same task does until its end is within."""
        span = self._tracer.start_span("operation")
        _operation.set((span, current.attach(trace.set_span_in_context(span))))

    def end_operation(self, context: Context | None, done: Executed | None) -> None:
        """End it and say what it was; nothing of one that is told to nobody."""
        begun = _operation.get()
        if begun is None:
            return
        span, token = begun
        _operation.set(None)
        current.detach(token)
        operation = None if context is None else context.operation
        if operation is not None:
            span.update_name(f"{operation.kind} {operation.name}" if operation.name else operation.kind)
            span.set_attribute("graphql.operation.type", operation.kind)
            if operation.name:
                span.set_attribute("graphql.operation.name", operation.name)
        if context is not None and context.request.viewer is not None:
            span.set_attribute("enduser.id", str(context.request.viewer.id))
        if done is not None and done.codes:
            span.set_attribute("postfach.codes", done.codes)
            _fail(span, done.codes[0])
        span.end()

    def around(self, app: ASGIApp) -> ASGIApp:
        """Return the application with a span around each request."""

        async def traced(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or scope["path"] in UNTRACED:
                await app(scope, receive, send)
                return
            method = scope["method"] if scope["method"] in METHODS else "_OTHER"
            # Any other path is whatever a client made up.
            path = "/graphql" if scope["path"] == "/graphql" else ""
            parent = _parent.extract(dict(_of_trace(scope)))
            told = {"http.request.method": method} | ({"http.route": path} if path else {})
            with self._span(f"{method} {path}".strip(), SpanKind.SERVER, told, parent) as span:
                await app(scope, receive, _answering(send, span))

        return traced


def _answering(send: Send, span: Span) -> Send:
    async def send_and_tell(message: Message) -> None:
        if message["type"] == "http.response.start":
            status = message["status"]
            span.set_attribute("http.response.status_code", status)
            span.set_attribute("postfach.request", Headers(scope=message).get("x-request-id", ""))
            if status >= FAULT:
                _fail(span, str(status))
        await send(message)

    return send_and_tell


def _of_trace(scope: Scope) -> Iterator[tuple[str, str]]:
    """Return the ids of the trace that a proxy began, and nothing else that it says of it."""
    if (value := Headers(scope=scope).get("traceparent")) is not None:
        yield "traceparent", value


def _told() -> Resource:
    """Return what OpenTelemetry's own variables say of this process."""
    told = Resource.create()
    known: Mapping[str, AttributeValue] = told.attributes
    if str(known.get(SERVICE_NAME, "")).startswith("unknown_service"):
        known = {name: value for name, value in known.items() if name != SERVICE_NAME}
    return Resource(known)


def _fail(span: Span, reason: str) -> None:
    span.set_attribute("error.type", reason)
    span.set_status(Status(StatusCode.ERROR))
