"""A PostgreSQL server of the test run's own: Debian's program, a temporary folder, a socket in it, gone with the run.

``ENTREPOT_TEST_DATABASE=postgresql`` lets every hub of the tests keep its rows there, each in a database of its own
that is copied from a migrated template.
"""

import atexit
import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import psycopg
import pytest

WANTED = os.environ.get("ENTREPOT_TEST_DATABASE", "") == "postgresql"
"""Whether the hubs of this run use PostgreSQL."""
PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda found: int(found.parent.name))
TEMPLATE = "hub_template"


def programs() -> Path:
    """Where the server's programs are; skips the test without them."""
    if not PROGRAMS:
        pytest.skip("no PostgreSQL server here (apt-get install postgresql)")
    return PROGRAMS[-1]


def only_sqlite() -> None:
    """Skip what is about the file of SQLite itself."""
    if WANTED:
        pytest.skip("the file of SQLite is the subject")


class Server:
    """A server in a new folder; ``durable``: it syncs what it commits; ``network``: that is let in over TCP, too."""

    def __init__(self, *, durable: bool = False, network: str = "", **settings: Any) -> None:
        self.bin = programs()
        # Below /tmp itself: a socket's path is short, and the server's own user must get there.
        self.folder = Path(tempfile.mkdtemp(prefix="entrepot-pg-"))
        self.user = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        if self.user:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.process: subprocess.Popen[bytes] | None = None
        self._run("initdb", "-D", str(self.data), "-U", "hub", "-A", "trust", "-E", "UTF8", "--no-sync", "--no-locale")
        given = {
            "listen_addresses": "'*'" if network else "''",
            "unix_socket_directories": f"'{self.folder}'",
            "max_connections": 300,
            "shared_buffers": "'64MB'",
            **({} if durable else {"fsync": "off", "full_page_writes": "off"}),
            **settings,
        }
        with (self.data / "postgresql.conf").open("a") as conf:
            conf.writelines(f"{name} = {value}\n" for name, value in given.items())
        if network:
            with (self.data / "pg_hba.conf").open("a") as rules:
                rules.write(f"host all all {network} trust\n")
        self.start()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, name: str = "postgres") -> str:
        return f"postgresql://hub@/{name}?host={self.folder}"

    def _as_user(self) -> dict[str, Any]:
        if self.user is None:
            return {}
        return {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [self.bin / program, *words],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            **self._as_user(),
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.bin / "postgres", "-D", str(self.data)],
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                **self._as_user(),
            )
        for _ in range(600):
            try:
                psycopg.connect(self.url()).close()
            except psycopg.OperationalError:
                assert self.process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.02)
            else:
                return
        raise AssertionError((self.folder / "log").read_text())

    def kill(self) -> None:
        """As by kill -9 of the whole server. While one of its processes is left, no other one starts there."""
        assert self.process is not None
        pid = self.process.pid
        os.kill(pid, signal.SIGSTOP)  # it starts nothing more
        children = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        for one in (pid, *children):  # each is a process group of its own
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        self.process.wait()
        until = time.monotonic() + 30
        while any(_is_alive(one) for one in children):
            assert time.monotonic() < until, children
            time.sleep(0.005)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def stop(self) -> None:
        """End it and remove its folder."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, statement: str, name: str = "postgres") -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            cursor = connection.execute(statement)  # type: ignore[call-overload]
            return list(cursor.fetchall()) if cursor.description else []

    def database(self, template: str = "template0") -> str:
        """The URL of a new database."""
        name = f"t{uuid.uuid4().hex}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return self.url(name)

    def drop(self, url: str) -> None:
        name = url.partition("@/")[2].partition("?")[0]
        self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def hub_database(self) -> str:
        """The URL of a new database in the newest schema."""
        if not self.run(f"SELECT 1 FROM pg_database WHERE datname = '{TEMPLATE}'"):
            from entrepot.store.migrate_postgres import migrate_postgres

            self.run(f"CREATE DATABASE {TEMPLATE} TEMPLATE template0")
            migrate_postgres(self.url(TEMPLATE))
        return self.database(TEMPLATE)


_server: Server | None = None
_urls: dict[Path, str] = {}


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


def shared() -> Server:
    """The server of this test process, started when first asked for."""
    global _server
    if _server is None:
        _server = Server()
        atexit.register(_server.stop)
    return _server


def url_of(folder: Path) -> str:
    """``database_url`` of the hub in a folder: always the same one, made at first; empty when SQLite is tested."""
    if not WANTED:
        return ""
    folder = folder.absolute()
    if folder not in _urls:
        _urls[folder] = shared().hub_database()
    return _urls[folder]


def drop_below(folder: Path) -> None:
    """Drop the databases of all hubs below a folder."""
    for place in [place for place in _urls if place.is_relative_to(folder)]:
        shared().drop(_urls.pop(place))
