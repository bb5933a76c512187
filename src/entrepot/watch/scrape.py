"""/metrics: the tally and what the rows know, for Prometheus. Who may read it, and nothing of any tenant in it.

Labels come from declarations alone. A scrape is one read of the rows, whatever the hub holds.
"""

import hmac
import platform
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any

from entrepot import __version__, tally
from entrepot.errors import HubError
from entrepot.model import networks
from entrepot.ops.context import Hub
from entrepot.ops.origin import Origin
from entrepot.store.sql import gauges as sql
from entrepot.watch.gauges import Gauges, disk
from entrepot.watch.plain import answer

if TYPE_CHECKING:
    from prometheus_client.core import Metric

Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_PASSED_ON = (b"x-forwarded-for", b"forwarded", b"via", b"x-real-ip")
"""Headers of a request that came through a proxy."""


class Scrape:
    """The page /metrics."""

    def __init__(self, hub: Hub, gauges: Gauges) -> None:
        self._hub = hub
        self._gauges = gauges
        self._origin = Origin(hub.settings)

    async def answer(self, scope: Scope, send: Send) -> None:
        """Answer one request."""
        headers = dict(scope["headers"])
        if scope["method"] not in {"GET", "HEAD"}:
            await answer(send, 405, b"GET is for metrics\n")
        elif not self._may_read(scope, headers):
            await answer(send, 403, b"metrics are for metrics_networks, or with metrics_token\n")
        else:
            body, kind = await self._text(headers.get(b"accept", b"").decode("latin-1"))
            await answer(send, 200, b"" if scope["method"] == "HEAD" else body, kind.encode())

    def _may_read(self, scope: Scope, headers: dict[bytes, bytes]) -> bool:
        settings = self._hub.settings
        if settings.metrics_token:
            expected = f"Bearer {settings.metrics_token}".encode()
            if hmac.compare_digest(headers.get(b"authorization", b""), expected):
                return True
        peer: str = scope["client"][0] if scope.get("client") else ""
        is_passed_on = any(name in headers for name in _PASSED_ON)
        if is_passed_on and not networks.contains(settings.trusted_proxies, peer):
            # A proxy of which we were not told: the address is its own, and anybody may be behind it.
            return False
        return networks.contains(settings.metrics_networks, self._origin.of(scope, headers)[1])

    async def _text(self, accept: str) -> tuple[bytes, str]:
        from prometheus_client.exposition import choose_encoder

        self._gauges.refresh()
        try:
            found: sql.Gauges | None = await self._hub.db.read(sql.gauges)
        except HubError:
            found = None  # the rest is worth the more while the database is away
        encode, kind = choose_encoder(accept)
        body: bytes = encode(_Families([*self._counted(), *self._now(found)]))
        return body, kind

    def _counted(self) -> Iterator["Metric"]:
        yield from _cells(self._hub.tally)
        yield from _requests(self._hub.tally)

    def _now(self, found: sql.Gauges | None) -> Iterator["Metric"]:
        from prometheus_client.core import GaugeMetricFamily as Gauge

        numbers = self._hub.tally
        free, size = disk(self._hub)
        yield _labelled(
            Gauge("entrepot_build_info", "What serves.", labels=["version", "python"]),
            [([__version__, platform.python_version()], 1)],
        )
        yield Gauge("entrepot_rows_reachable", "Whether rows can be read.", value=found is not None)
        yield Gauge("entrepot_processes", "Processes that serve.", value=numbers.processes())
        yield Gauge("entrepot_draining", "Whether the server is about to stop.", value=numbers.is_draining)
        yield Gauge("entrepot_disk_free_bytes", "Room that the data folder has left.", value=free)
        yield Gauge("entrepot_disk_size_bytes", "Size of the file system of the data folder.", value=size)
        if found is None:
            return
        most = f"counted up to {sql.MOST}"
        yield Gauge("entrepot_uploads_open", f"Uploads that have not ended, {most}.", value=found.uploads)
        yield _labelled(
            Gauge("entrepot_collect_waiting", f"What may have become garbage, due or not, {most}.", labels=["kind"]),
            [(["manifest"], found.manifests), (["link"], found.links), (["blob"], found.blobs)],
        )
        late = max(0, int(self._hub.clock()) - found.due_at) if found.due_at else 0
        yield Gauge("entrepot_collect_late_seconds", "How long the oldest of them is overdue.", value=late)
        yield Gauge("entrepot_dead_objects", f"Objects that go away soon, {most}.", value=found.objects)
        yield Gauge("entrepot_dead_object_bytes", f"What these hold, {most}.", value=found.object_bytes)
        yield _labelled(
            Gauge("entrepot_damaged", f"What is known to be damaged and served to nobody, {most}.", labels=["kind"]),
            [(["blob"], found.damaged_blobs), (["manifest"], found.damaged_manifests)],
        )
        states = [("waiting", found.runs_waiting), ("running", found.runs_running)]
        yield _labelled(
            Gauge("entrepot_workflow_runs", f"Runs of workflows that have not ended, {most}.", labels=["state"]),
            [([state], number) for state, number in [*states, ("cancelling", found.runs_cancelling)]],
        )


class _Families:
    """What prometheus-client's encoders ask of a registry."""

    def __init__(self, families: "list[Metric]") -> None:
        self._families = families

    def collect(self) -> "list[Metric]":
        return self._families


def _labelled(family: Any, numbers: list[tuple[list[str], float]]) -> "Metric":
    for labels, number in numbers:
        family.add_metric(labels, number)
    found: Metric = family
    return found


def _cells(numbers: tally.Tally) -> Iterator["Metric"]:
    """The declared numbers; what has labels is shown only where something was counted."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    families: dict[str, Any] = {}
    for one in tally.CELLS:
        if one.name not in families:
            kind = CounterMetricFamily if one.kind == "counter" else GaugeMetricFamily
            families[one.name] = kind(one.name, one.help, labels=[name for name, _ in one.labels])
        number = numbers.number(one)
        if number or not one.labels:
            families[one.name].add_metric([value for _, value in one.labels], number)
    yield from families.values()


def _requests(numbers: tally.Tally) -> "Iterator[Metric]":
    from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

    total = CounterMetricFamily(
        "entrepot_requests", "Requests that were answered.", labels=["door", "route", "method", "status"]
    )
    times = HistogramMetricFamily(
        "entrepot_request_seconds",
        "How long requests took; of a whole blob until it is handed to the server's threads.",
        labels=["door", "route"],
    )
    for one in tally.ENDPOINTS.values():
        found = numbers.requests(one)
        for (method, status), number in found.by_class.items():
            total.add_metric([one.door, one.route, method, status], number)
        if not found.by_class:
            continue
        so_far, buckets = 0, []
        for bound, number in zip((*tally.BOUNDS, float("inf")), found.times, strict=True):
            so_far += number
            buckets.append((str(bound) if bound < float("inf") else "+Inf", so_far))
        times.add_metric([one.door, one.route], buckets=buckets, sum_value=found.seconds)
    yield total
    yield times
