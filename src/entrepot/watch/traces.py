"""Traces for OpenTelemetry: a span for each request, and below it one for each use of the rows and each blob commit.

Only where the extra ``otel`` is installed and the standard OTEL_* variables name a collector; else nothing of it is
loaded, and no request passes through here.
"""

import importlib.util
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import structlog

from entrepot import __version__, tally
from entrepot.ops.context import Hub
from entrepot.watch.requests import RequestIds
from entrepot.watch.telling import Exchange
from entrepot.watch.told import Told

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
log = structlog.get_logger("traces")


def are_wanted(environ: Mapping[str, str]) -> bool:
    """Whether the environment names a collector, and the packages that send to it are there."""
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    is_off = environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER") == "none"
    if is_off or not any(environ.get(name) for name in endpoints):
        return False
    try:
        found = importlib.util.find_spec("opentelemetry.exporter.otlp.proto.http")
    except ModuleNotFoundError:
        found = None
    if found is None:
        log.warning("OTEL_* variables ask for traces; install entrepot[otel] to have them")
    return found is not None


class Traces:
    """Sends the spans of one process."""

    def __init__(self) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        os.environ.setdefault("OTEL_SERVICE_NAME", "entrepot")
        self._provider = TracerProvider(resource=Resource.create({"service.version": __version__}))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("entrepot", __version__)

    def close(self) -> None:
        """Send what is left; takes as long as the collector does, so call it in a thread."""
        self._provider.shutdown()

    def watch(self, hub: Hub) -> None:
        """Give uses of the rows and commits of blobs their spans."""
        hub.db = Spanned(self._tracer, hub.db, "rows", "read", "write", "note")
        hub.blobs = SpannedBlobs(self._tracer, hub.blobs, "blobs", "commit")

    def around(self, app: App, ids: RequestIds) -> App:
        """An app that answers as ``app`` does, each request in a span."""
        from opentelemetry.trace import SpanKind, Status, StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        parents = TraceContextTextMapPropagator()

        async def traced(scope: Scope, receive: Receive, send: Send) -> None:
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            told = scope.setdefault("told", Told())
            request_id = ids.in_scope(scope, dict(scope["headers"])).decode("ascii")
            exchange = Exchange(receive, send)
            method = scope["method"] if scope["method"] in tally.METHODS else "other"
            with self._tracer.start_as_current_span(method, parents.extract(headers), SpanKind.SERVER) as span:
                await app(scope, exchange.receive, exchange.send)
                endpoint = tally.by_place(told.place)
                span.update_name(f"{method} {endpoint.door} {endpoint.route}")
                span.set_attributes(
                    {
                        "entrepot.request_id": request_id,
                        "http.request.method": method,
                        "http.route": f"{endpoint.door}/{endpoint.route}",
                        "http.response.status_code": exchange.status,
                        "http.request.body.size": exchange.bytes_in,
                        "http.response.body.size": exchange.bytes_out,
                        **{f"entrepot.{name}": value for name, value in told.about.items()},
                    }
                )
                if exchange.status >= 500:
                    span.set_status(Status(StatusCode.ERROR))

        return traced


class Spanned:
    """A port some of whose verbs run in spans; everything else passes through."""

    def __init__(self, tracer: Any, port: Any, name: str, *verbs: str) -> None:
        self._tracer = tracer
        self._port = port
        self._name = name
        self._verbs = frozenset(verbs)

    def __getattr__(self, verb: str) -> Any:
        found = getattr(self._port, verb)
        if verb not in self._verbs:
            return found

        async def spanned(*args: Any, **kwargs: Any) -> Any:
            with self._tracer.start_as_current_span(f"{self._name} {verb}") as span:
                if callable(args[0]):
                    span.set_attribute("code.function.name", f"{args[0].__module__}.{args[0].__qualname__}")
                return await found(*args, **kwargs)

        return spanned


class SpannedBlobs(Spanned):
    """The store of blobs: an upload that is owned is committed by itself, and that is told as well."""

    @asynccontextmanager
    async def writing(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """As ``BlobStore.writing``; what it gives commits in a span."""
        async with self._port.writing(*args, **kwargs) as growing:
            yield Spanned(self._tracer, growing, self._name, "commit")
