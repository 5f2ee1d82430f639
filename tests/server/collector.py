"""A collector of OpenTelemetry's traces that tests ask what it was told: OTLP over HTTP, as protobuf."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests import evidence


@dataclass(frozen=True)
class Span:
    """What was told of a span."""

    id: bytes
    parent: bytes
    trace: str
    name: str
    kind: str
    failed: bool
    events: int
    told: dict[str, Any]


@dataclass
class Collector:
    """What came: the bodies as they are, and the spans in them."""

    url: str
    bodies: list[bytes] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)

    def take(self, body: bytes) -> None:
        """Take a request's body."""
        self.bodies.append(body)
        evidence.keep(body.decode("utf-8", "backslashreplace"), "a trace")
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources.append(_plain(resource.resource.attributes))
            for scope in resource.scope_spans:
                self.spans += [_span(each) for each in scope.spans]

    def named(self, name: str) -> list[Span]:
        """The spans of this name."""
        return [each for each in self.spans if each.name == name]

    def under(self, span: Span) -> list[Span]:
        """The spans right within this one."""
        return [each for each in self.spans if each.parent == span.id]


def _span(each: Any) -> Span:  # noqa: ANN401 (protobuf's own)
    kind = each.SpanKind.Name(each.kind).removeprefix("SPAN_KIND_")
    failed = each.status.code == each.status.STATUS_CODE_ERROR
    assert not each.status.message
    return Span(
        each.span_id,
        each.parent_span_id,
        each.trace_id.hex(),
        each.name,
        kind,
        failed,
        len(each.events),
        _plain(each.attributes),
    )


def _plain(attributes: Any) -> dict[str, Any]:  # noqa: ANN401
    def value(of: Any) -> Any:  # noqa: ANN401
        kind = of.WhichOneof("value")
        found = getattr(of, kind)
        return [value(each) for each in found.values] if kind == "array_value" else found

    return {each.key: value(each.value) for each in attributes}


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            assert self.path == "/v1/traces"
            assert self.headers["content-type"] == "application/x-protobuf"
            collector.take(body)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
