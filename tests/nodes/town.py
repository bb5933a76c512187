"""A hub of three nodes: PostgreSQL, a place for bytes, nginx with the recommended file, each a machine of its own."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from entrepot.client.actions import ActionsClient
from tests import s3
from tests.clients.load import BUCKET, SETTINGS, Ledger
from tests.clients.pushing import Pusher
from tests.conftest import Live, Loop, TestHub, serve, workers_of
from tests.flows.conftest import Flows
from tests.nodes.jobs import Jobs
from tests.nodes.street import Place, Street, street
from tests.postgres import Server

NODES = ("node1", "node2", "node3")
NGINX = Path("/usr/sbin/nginx")
PROVEN = Path(__file__).parents[2] / "deploy" / "nginx.conf"
FRONT = "10.213.0.10"
NUMBER = 11
ROWS, STORE, WORLD = 20, 21, 22
READ_SECONDS = 45
"""How long nginx waits, reading or sending, for a node that is gone without a word: longer than a node waits for the
database (LATE)."""
LEFT_OUT = 2
"""How long nginx leaves out a node that did not answer (fail_timeout)."""
PATIENT = {**SETTINGS, "grace_seconds": "120", "upload_seconds": "600"}
"""A push in which a request waits READ_SECONDS must not be taken for one that nobody ends."""
AROUND = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {proven};
}}
"""


class Town:
    """Machines by name: clients, balancer, node1 to node3, rows, store, and the world that workflows call.

    Bytes are in a ``bucket`` of the store, and nodes share nothing but the key file; or in one ``folder`` of all.
    """

    def __init__(self, net: Street, folder: Path, store: str) -> None:
        self.net, self.folder = net, folder
        self.ledger = Ledger()
        self.clients = net.add("clients", 2, "front")
        self.balancer = net.add("balancer", 10, "front")
        self._places: dict[str, Place] = {
            name: net.add(name, NUMBER + number, "front", "back") for number, name in enumerate(NODES)
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        with net.add("rows", ROWS, "back"):
            self.rows = Server(network="10.213.1.0/24")
        url = self.rows.hub_database()
        self.store = net.add("store", STORE, "back")
        self._objects: s3.Server | None = None
        with self.store:  # who looks into the hub from inside does it from there
            self._loop = Loop()
            if store == "bucket":
                self._objects = s3.start(s3.best(), folder, f"10.213.1.{STORE}")
        bytes_at = s3.settings_at(self._objects, "town") if self._objects else {}
        self.inside = TestHub(self._loop, folder / "data", database_url=url, **PATIENT, **bytes_at)
        self.inside.bucket(BUCKET)
        self.jobs = Jobs(Flows(self.inside), net.add("world", WORLD, "back"), f"10.213.1.{WORLD}")
        name = url.partition("@/")[2].partition("?")[0]
        self.settings: dict[str, str] = {
            **PATIENT,
            **bytes_at,
            "key_file": str(folder / "data" / "hub.key"),
            "database_url": f"postgresql://hub@10.213.1.{ROWS}/{name}",
            "host": "0.0.0.0",
            "trusted_proxies": FRONT,
            "outbound_networks": f"10.213.1.{WORLD}",
            "log_level": "debug",
        }

    @property
    def live(self) -> Live:
        """The hub as clients see it."""
        known = self.inside
        keys = (known.public_key, known.private_key, known.project_id)
        return Live(f"http://{FRONT}", 80, self.folder, *known.main, *keys, self.processes[NODES[0]])

    @property
    def actions(self) -> ActionsClient:
        """The management API as clients reach it."""
        return ActionsClient(self.live.url, self.inside.public_key, self.inside.private_key)

    def host(self, name: str) -> str:
        """A node as clients reach it past the balancer."""
        return f"10.213.0.{NUMBER + NODES.index(name)}"

    def start(self, name: str, *words: str) -> None:
        # The log is named by port: each node has its own, and the same one inside its network.
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        if self._objects:
            (folder / "data").mkdir(exist_ok=True)
        elif not (folder / "data").exists():
            (folder / "data").symlink_to(self.folder / "data")
        with self._places[name]:
            self.processes[name] = serve(folder / "data", 5000, *words, **self.settings)

    def stop(self, name: str) -> None:
        """SIGTERM, and its end."""
        self.processes[name].terminate()
        assert self.processes[name].wait(60) == 0, self.log(name)

    def kill(self, name: str) -> None:
        self.jobs.lost += 1
        os.killpg(self.processes[name].pid, signal.SIGKILL)
        self.processes[name].wait()

    def kill_worker(self, name: str) -> int:
        """One of several processes of a node; which one it was."""
        self.jobs.lost += 1
        killed = workers_of(self.processes[name].pid)[0]
        os.kill(killed, signal.SIGKILL)
        return killed

    def reaches(self, name: str, other: str) -> bool:
        """Whether a machine gets a connection to what another one serves."""
        place = self.balancer if name == "balancer" else self._places[name]
        target = {
            "rows": (f"10.213.1.{ROWS}", 5432),
            "store": (f"10.213.1.{STORE}", urlsplit(self._objects.url).port if self._objects else None),
            **{node: (self.host(node), 5000) for node in NODES},
        }[other]
        with place, contextlib.suppress(OSError), socket.create_connection(target, timeout=1.5):
            return True
        return False

    def needs_store(self) -> None:
        """Skip the test where bytes are in a folder of all."""
        if self._objects is None:
            pytest.skip("no store to break: bytes are in a folder")

    def cut_off(self, name: str) -> AbstractContextManager[None]:
        """From what nodes share; whoever cannot write down what it did may do it again."""
        self.jobs.lost += 1
        return self.net.cut(name, "back")

    def log(self, name: str) -> str:
        return (self.folder / name / "serve-5000.log").read_text()

    def balance(self) -> None:
        conf, proven = self.folder / "nginx.conf", self.folder / "hub.conf"
        conf.write_text(AROUND.format(folder=self.folder, proven=proven))
        proven.write_text(self._proven())
        with self.balancer, (self.folder / "nginx.log").open("wb") as log:
            self.processes["balancer"] = subprocess.Popen(
                [NGINX, "-c", str(conf), "-e", str(self.folder / "error.log")],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.wait_for(FRONT, 80)

    def _proven(self) -> str:
        """The recommended file, for these nodes, without TLS and with less patience."""
        text = PROVEN.read_text()
        for there, here in (
            (r"server 127.0.0.1:5000 (.*);", "".join(f"server {self.host(name)}:5000 \\1;" for name in NODES)),
            (r"listen 443 ssl http2;", "listen 80;"),
            (r"ssl_certificate.*;", ""),
            (r"proxy_read_timeout .*;", f"proxy_read_timeout {READ_SECONDS}s;"),
            (r"proxy_send_timeout .*;", f"proxy_send_timeout {READ_SECONDS}s;"),
        ):
            text, times = re.subn(there, here, text)
            assert times, there
        return text

    def wait_for(self, host: str, port: int) -> None:
        """Until a machine of the street answers as a hub."""
        with self.clients:
            for _ in range(200):
                with contextlib.suppress(OSError), Pusher(port, self.inside.main, host=host) as asking:
                    if asking.ask("GET", "/v2/").status == 200:
                        return
                time.sleep(0.05)
        raise AssertionError((self.folder / "error.log").read_text())

    def close(self) -> None:
        self.jobs.close()
        self.inside.close()
        self._loop.close()
        del self.jobs, self.inside  # with all that it held: the collector is asked for it (conftest)
        for process in self.processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if self._objects:
            s3.stop(self._objects)
        self.rows.stop()


@contextlib.contextmanager
def town(folder: Path, *words: str, store: str = "bucket", **settings: Any) -> Iterator[Town]:
    """Everything up and balanced; ``words`` and ``settings`` are for each node."""
    if not NGINX.exists():
        pytest.skip("no nginx here (apt-get install nginx-light)")
    with street() as net, contextlib.ExitStack() as stack:
        made = Town(net, folder, store)
        stack.callback(made.close)
        made.settings |= settings
        for name in NODES:
            made.start(name, *words)
        made.balance()
        yield made
