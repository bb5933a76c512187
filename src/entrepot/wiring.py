"""The only composition root: settings -> ports -> hub -> one ASGI app with its four doors."""

import asyncio
import contextlib
import os
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entrepot.actions.door import ActionsDoor
from entrepot.config import Settings
from entrepot.console.app import console_app
from entrepot.console.statics import PREFIX
from entrepot.errors import HubError, Kind
from entrepot.flows.deliveries import WebhookSender
from entrepot.flows.door import FlowsDoor
from entrepot.flows.engine import FlowEngine
from entrepot.ops import arrival, collect, dispatch, janitor, pulls, retention, scrub
from entrepot.ops.context import Hub
from entrepot.ops.vault import create_key_file, open_key_file
from entrepot.registry.app import RegistryDoor
from entrepot.store import rows_file
from entrepot.store.blobs import BlobStore, Objects
from entrepot.store.blobs_fs import FileBlobStore
from entrepot.store.db import Database, RowsPlace
from entrepot.store.db_sqlite import FILE, SqliteDatabase
from entrepot.store.migrate import migrate_sqlite
from entrepot.store.sql import collect as collect_sql
from entrepot.tally import Tally, endpoint
from entrepot.watch import traces
from entrepot.watch.gauges import Gauges
from entrepot.watch.plain import answer as plain
from entrepot.watch.ready import Ready
from entrepot.watch.requests import Counted, RequestIds
from entrepot.watch.scrape import Scrape
from entrepot.watch.telling import Telling

if TYPE_CHECKING:
    from entrepot.store.remote import Remote

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

NODE_FILE = "hub.node"
GOOGLE = "https://storage.googleapis.com"
API_PATHS = frozenset({"/", "/api", "/api/"})
_CALL, _RUN = endpoint("actions", "call"), endpoint("flows", "run")
_PAGE, _STATIC = endpoint("console", "page"), endpoint("console", "static")
_MACHINES = {path: endpoint("hub", path[1:]) for path in ("/healthz", "/readyz", "/metrics")}


def _open_sqlite(settings: Settings) -> Database:
    path = settings.data_dir / FILE
    migrate_sqlite(path)
    return SqliteDatabase(path)


def _open_postgres(settings: Settings) -> Database:
    # The driver takes a while to load, and a hub on SQLite starts without it.
    from entrepot.store.db_postgres import PostgresDatabase
    from entrepot.store.migrate_postgres import migrate_postgres

    migrate_postgres(settings.database_url)
    return PostgresDatabase(settings.database_url)


DATABASES: dict[str, Callable[[Settings], Database]] = {
    "": _open_sqlite,
    "postgresql": _open_postgres,
    "postgres": _open_postgres,
}
"""By the scheme of ``database_url``."""


def open_database(settings: Settings) -> Database:
    """The rows in their newest schema. Raises CONFIG_INVALID, UNAVAILABLE."""
    scheme = settings.database_url.partition("://")[0]
    if scheme not in DATABASES:
        raise HubError(Kind.CONFIG_INVALID, "database_url: postgresql://user:password@host/database, or nothing")
    return DATABASES[scheme](settings)


async def open_hub(settings: Settings, *, create: bool = False, arriving: bool = False) -> Hub:
    """Open the data folder, with ``create`` also one without a hub in it. Raises NOT_INITIALISED, UNAVAILABLE.

    ``arriving``: also one that a restore or a move has not let go of yet.

    Opening twice is harmless: what makes a hub initialised is its first account (``people.first_account``), so an
    `init` that was killed half-way is simply done again.
    """
    folder = settings.data_dir
    command = arrival.unfinished(folder)
    if command and not arriving:
        raise HubError(
            Kind.NOT_INITIALISED,
            f"`entrepot {command}` into {folder} has not ended; run `entrepot {command}` again, it goes on",
        )
    try:
        # The key file is the first thing that is made; the first account may still be missing.
        if create and not settings.key_path.exists():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with contextlib.suppress(FileExistsError):
                create_key_file(settings.key_path)
        vault = open_key_file(settings.key_path)
    except OSError as fault:
        raise HubError(Kind.UNAVAILABLE, f"{folder}: {fault.strerror}") from fault
    db = open_database(settings)
    hub = Hub(
        settings=settings,
        db=db,
        blobs=blobs_of(settings, db),
        vault=vault,
        clock=time.time,
        new_id=_new_id,
    )
    hub.engine = FlowEngine(hub)
    hub.sender = WebhookSender(hub)
    return hub


def blobs_of(settings: Settings, db: Database) -> BlobStore:
    """Where the bytes of a hub with these rows are. Raises CONFIG_INVALID."""
    if not settings.blobs_url:
        return FileBlobStore(settings.data_dir)
    remote = _remote(settings)
    # Only what keeps bytes in a bucket loads what that needs.
    from entrepot.store.blobs_remote import RemoteBlobStore
    from entrepot.store.leases import RowLeases

    async def unknown(keys: list[str]) -> list[str]:
        return await db.read(collect_sql.unknown_keys, keys)

    leases = RowLeases(db, _node(settings.data_dir), time.time, time.monotonic)
    return RemoteBlobStore(remote, settings.data_dir, leases, unknown)


def rows_place(settings: Settings) -> RowsPlace:
    """Where the rows of a hub go that comes from elsewhere."""
    if not settings.database_url:
        return rows_file.FilePlace(settings.data_dir)
    from entrepot.store.postgres_fill import PostgresPlace

    return PostgresPlace(settings.database_url)


def objects_of(settings: Settings) -> Objects:
    """Where its stored objects go; made in the data folder, if there."""
    if settings.blobs_url:
        remote = _remote(settings)
        from entrepot.store.blobs_remote import RemoteObjects

        return RemoteObjects(remote, settings.data_dir)
    store = FileBlobStore(settings.data_dir)
    store.make_place()
    return store


async def check_bucket(settings: Settings) -> None:
    """Raise EXISTS where the bucket of a hub to come holds something: two hubs would remove each other's objects."""
    if not settings.blobs_url:
        return
    remote = _remote(settings)
    try:
        if await remote.has_any(""):
            raise HubError(Kind.EXISTS, f"{settings.blobs_url} is not empty; name a prefix that nothing else uses")
    finally:
        await remote.close()


def _remote(settings: Settings) -> "Remote":
    scheme, _, rest = settings.blobs_url.partition("://")
    name, _, prefix = rest.partition("/")
    prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    try:
        if scheme == "az":
            from entrepot.store.remote_azure import AzureContainer, connection_of

            return AzureContainer(name, prefix, connection_of(os.environ))
        from entrepot.store.remote_s3 import S3Bucket
    except ImportError as fault:
        extra = "azure" if scheme == "az" else "s3"
        raise HubError(
            Kind.CONFIG_INVALID, f"blobs_url: the package {fault.name} is missing; install entrepot[{extra}]"
        ) from fault
    endpoint = settings.s3_endpoint or (GOOGLE if scheme == "gs" else "")
    return S3Bucket(name, prefix, endpoint, settings.s3_region)


def _node(folder: Path) -> str:
    """The id of this data folder among several nodes of a hub; made with its first use."""
    path = folder / NODE_FILE
    if not path.exists():
        draft = path.with_name(f"{NODE_FILE}.{os.getpid()}")
        draft.write_text(_new_id())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
    return path.read_text()


def _new_id() -> str:
    return str(uuid.UUID(bytes=os.urandom(16), version=4))


async def close_hub(hub: Hub) -> None:
    """Finish accepted writes and close the ports."""
    await hub.db.close()
    await hub.blobs.close()


class Doors:
    """One ASGI app: /v2 and /token to the registry, the API paths to the actions, the rest to the console."""

    def __init__(self, open_: Callable[[], Awaitable[Hub]]) -> None:
        self._open = open_
        self._hub: Hub | None = None
        self._handle: App
        self._registry: App
        self._actions: App
        self._console: App
        self._flows: App
        self._machines: App
        self._gauges: Gauges
        self._traces: traces.Traces | None = None
        self._chores: list[asyncio.Task[None]] = []

    def use(self, hub: Hub) -> None:
        """Build the doors over an open hub."""
        self._hub = hub
        if traces.are_wanted(os.environ):
            self._traces = traces.Traces()
            self._traces.watch(hub)
        ids = RequestIds()
        self._gauges = Gauges(hub)
        pages: dict[str, Callable[[Scope, Send], Awaitable[None]]] = {
            "/healthz": _alive,
            "/readyz": Ready(hub).answer,
            "/metrics": Scrape(hub, self._gauges).answer,
        }

        async def machines(scope: Scope, receive: Receive, send: Send) -> None:
            del receive
            await pages[scope["path"]](scope, send)

        self._registry = RegistryDoor(hub, ids)

        def counted(app: App, place_of: Callable[[Scope], int]) -> App:
            return Counted(hub.tally, ids, app, place_of)

        self._actions = counted(ActionsDoor(hub), lambda _: _CALL)
        self._console = counted(console_app(hub), _page)
        self._flows = counted(FlowsDoor(hub), lambda _: _RUN)
        self._machines = counted(machines, lambda scope: _MACHINES[scope["path"]])
        self._handle = Telling(hub.settings, ids, self._route) if hub.settings.access_log == "on" else self._route
        if self._traces is not None:
            self._handle = self._traces.around(self._handle, ids)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request or the lifespan protocol."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await self._handle(scope, receive, send)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if path.startswith("/v2/") or path in {"/v2", "/token"}:
            await self._registry(scope, receive, send)
        elif path in _MACHINES:
            await self._machines(scope, receive, send)
        elif path in API_PATHS and not _is_browser(scope):
            await self._actions(scope, receive, send)
        elif path.startswith("/namespace/"):
            await self._flows(scope, receive, send)
        elif path == "/":
            await plain(send, 302, b"", headers=[(b"location", b"/console")])
        else:
            await self._console(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                if self._hub is None:
                    self.use(await self._open())
                assert self._hub is not None
                chores = (janitor, pulls, collect, retention, scrub, dispatch)
                self._chores = [asyncio.create_task(chore.run(self._hub)) for chore in chores]
                more = (self._hub.engine, self._hub.sender, self._gauges)
                self._chores += [asyncio.create_task(one.run()) for one in more]
                await send({"type": "lifespan.startup.complete"})
            else:
                await self._stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _stop(self) -> None:
        for chore in self._chores:
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        if self._hub:
            await close_hub(self._hub)
        if self._traces is not None:
            await asyncio.to_thread(self._traces.close)


def _is_browser(scope: Scope) -> bool:
    """A person at the front page: GET, wants HTML, names no Action."""
    if scope["method"] != "GET" or scope["path"] != "/" or b"Action=" in scope["query_string"]:
        return False
    return any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])


async def _alive(scope: Scope, send: Send) -> None:
    del scope
    await plain(send, 200, b"ok\n")


def _page(scope: Scope) -> int:
    return _STATIC if scope["path"].startswith(PREFIX) else _PAGE


def build_app(hub: Hub) -> Doors:
    """The app over an open hub; its lifespan ends the hub."""

    async def opened() -> Hub:
        return hub

    doors = Doors(opened)
    doors.use(hub)
    return doors


def app_for(settings: Settings, tally: Tally) -> Doors:
    """An app that opens the hub itself when its process starts: for several workers, which count together."""

    async def opened() -> Hub:
        hub = await open_hub(settings)
        tally.join()
        hub.tally = tally
        return hub

    return Doors(opened)
