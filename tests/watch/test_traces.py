"""Traces: what a collector gets of a push and a pull, and that nothing is sent unasked."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from entrepot.watch import traces
from tests.conftest import serve
from tests.watch.kit import BODY, Upload, hub_in

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Collector:
    """Takes spans over HTTP."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.services: set[str] = set()
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                collector.take(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, body: bytes) -> None:
        for of_service in ExportTraceServiceRequest.FromString(body).resource_spans:
            named = {one.key: one.value.string_value for one in of_service.resource.attributes}
            self.services.add(named["service.name"])
            self.spans += [span for scope in of_service.scope_spans for span in scope.spans]

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    made = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", made.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_a_push_is_one_span_with_its_writes_below(tmp_path: Path, collector: Collector) -> None:
    data, port = hub_in(tmp_path)
    process = serve(data, port)
    assert Upload(port, traceparent=f"00-{TRACE}-00f067aa0ba902b7-01").end() == b"201"
    process.terminate()
    assert process.wait(30) == 0
    assert collector.services == {"entrepot"}
    [push] = collector.named("POST registry upload")
    assert push.trace_id.hex() == TRACE
    attributes = {one.key: one.value for one in push.attributes}
    assert attributes["http.response.status_code"].int_value == 201
    assert attributes["http.request.body.size"].int_value == len(BODY)
    assert attributes["entrepot.repository"].string_value == "helloworld/app"
    below = [span for span in collector.spans if span.parent_span_id == push.span_id]
    assert {"rows write", "blobs commit"} <= {span.name for span in below}
    assert attributes["entrepot.request_id"].string_value
    assert "authorization" not in str(collector.spans).lower()


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_nothing_is_sent_unasked(environ: dict[str, str]) -> None:
    assert not traces.are_wanted(environ)
