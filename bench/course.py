"""The running servers of one benchmark, and what several works need of them."""

import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests import postgres

from bench import content, tools
from bench.load import Pace
from bench.procs import Trouble
from bench.servers import BUCKET, Distribution, Hub, Nginx, Server, Zot

MANY_TAGS = 100_000
"""What the bars about tags are about."""
MANY, FEW = f"{BUCKET}/tags-many", f"{BUCKET}/tags-few"
PER_PUT = 80
"""The hub takes a hundred, but answers with a header for each, and Python's client reads no more than a hundred."""


@dataclass
class Course:
    """Servers that are up; ``close`` ends them all. ``missing`` says which peers are not here, and why."""

    folder: Path
    pace: Pace
    tell: Callable[[str], None]
    workers: int = 1
    big: bool = False
    servers: list[Server] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    versions: list[str] = field(default_factory=list)
    on_postgresql: Hub | None = None
    """A hub with its rows in a PostgreSQL server that syncs what it commits; measured by the works that have a bar."""
    _rows: postgres.Server | None = None
    _image: content.Image | None = None
    _has_tags: bool = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # impatience must not leave servers behind
        for server in self.all:
            server.stop()
        if self._rows is not None:
            self._rows.stop()

    def open(self) -> None:
        """Start every server that can be had."""
        self.add(Hub(self.folder / "hub"))
        if self.workers > 1:
            self.add(Hub(self.folder / "hub-more", self.workers))
        if postgres.PROGRAMS:
            self._rows = postgres.Server(durable=True)
            self.on_postgresql = Hub(self.folder / "hub-postgresql", database=self._rows.database())
            self._begin(self.on_postgresql, f"PostgreSQL {self._rows.run('SHOW server_version')[0][0].split()[0]}")
        else:
            self.lacks("PostgreSQL", "not to be had here: apt-get install postgresql")
        if Distribution.binary:
            self.add(Distribution(self.folder / "distribution"))
        else:
            self.lacks("distribution", "not to be had here: apt-get install docker-registry")
        binary, why = tools.zot()
        if binary:
            self.add(Zot(self.folder / "zot", binary))
        else:
            self.lacks("zot", why)
        if Nginx.binary:
            self.add(Nginx(self.folder / "nginx"))
        else:
            self.lacks("nginx", "not to be had here: apt-get install nginx-light")

    def database(self) -> str:
        """The URL of a new database in the PostgreSQL server."""
        assert self._rows is not None
        return self._rows.database()

    def add(self, server: Server) -> None:
        """Start one more server; it ends with the others."""
        self.servers.append(server)
        self._begin(server, server.version())

    def _begin(self, server: Server, version: str) -> None:
        server.start()
        if version not in self.versions:
            self.versions.append(version)
        self.tell(f"{server.name}: {version} listens on port {server.port}")

    def lacks(self, name: str, why: str) -> None:
        """A peer that is not here."""
        self.missing[name] = why
        self.tell(f"{name}: {why}")

    @property
    def ours(self) -> Hub:
        """The hub with one worker, which the bars are about."""
        found = self.servers[0]
        assert isinstance(found, Hub)
        return found

    @property
    def all(self) -> list[Server]:
        """Every server that is up."""
        return [*self.servers, *([self.on_postgresql] if self.on_postgresql else [])]

    def of(self, *kinds: type[Server]) -> list[Server]:
        """The servers of these kinds."""
        return [one for one in self.servers if isinstance(one, kinds)]

    @property
    def registries(self) -> list[Server]:
        """Everything that speaks /v2."""
        return self.of(Hub, Distribution, Zot)

    def image(self) -> content.Image:
        """The image that is pulled; placed everywhere at the first call."""
        if self._image is None:
            self.tell("placing an image and a blob of 100 MiB everywhere")
            fresh = content.Image()
            fresh.place(self.all)
            self._image = fresh
        return self._image

    def tags(self) -> None:
        """Make the repository with very many tags, where that can be done in reasonable time: not in zot."""
        if self._has_tags:
            return
        names = [f"v{place:06d}" for place in range(self.pace.tags)]
        for server in self.of(Hub, Distribution):
            self.tell(f"making {len(names):,} tags in {server.name}")
            if isinstance(server, Distribution):
                digest = few_tags(server, MANY, names[:1])
                server.plant_tags(MANY, digest, names[1:])
            else:
                _tags_by_put(server, names)
        self._has_tags = True

    def room_for(self, size: int) -> bool:
        """Whether the disk holds so much more, and a tenth."""
        return shutil.disk_usage(self.folder).free > size * 1.1


def few_tags(server: Server, repository: str, names: list[str]) -> str:
    """One manifest, and these tags of it, each by its own PUT; the manifest's digest."""
    config, layer = b"{}", b"layer of " + repository.encode()
    for blob in (config, layer):
        content.put_blob(server, repository, blob)
    document = content.manifest(config, [layer])
    for name in names:
        content.put_manifest(server, repository, name, document)
    return content.digest_of(document)


def _tags_by_put(server: Server, names: list[str]) -> None:
    """Many tags with each PUT, each PUT another manifest."""
    few_tags(server, MANY, names[:1])
    layer = b"layer of " + MANY.encode()
    for start in range(0, len(names), PER_PUT):
        document = content.manifest(b"{}", [layer], str(start))
        query = "?" + "&".join(f"tag={name}" for name in names[start : start + PER_PUT])
        content.put_manifest(server, MANY, content.digest_of(document), document, query)


def skipped(why: str) -> Trouble:
    """A work that cannot be done here; the run goes on with the next."""
    return Trouble(f"skipped: {why}")
