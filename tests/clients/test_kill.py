"""kill -9 in the middle of everything: what was acknowledged is there bit for bit, what was not is nowhere half.

A collector beside the server is killed as well.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from entrepot import config
from tests import postgres
from tests.clients.conftest import MAIN, make_bucket
from tests.clients.judge import check, findings
from tests.clients.load import BUCKET, SETTINGS, Ledger, load
from tests.clients.pushing import Pusher
from tests.conftest import Live, entrepot, free_port, serve

pytestmark = [pytest.mark.slow]
ROUNDS = int(os.environ.get("ENTREPOT_KILLS", "8"))
CLIENTS = int(os.environ.get("ENTREPOT_KILL_CLIENTS", "8"))


def collect(data: Path) -> "subprocess.Popen[bytes]":
    """A collection beside the server, in which everything that is due goes."""
    given = {"database_url": postgres.url_of(data), **SETTINGS}
    return subprocess.Popen(
        [sys.executable, "-m", "entrepot.cli.main", "gc", "--data", str(data)],
        stdout=subprocess.DEVNULL,
        env={**os.environ, **{f"ENTREPOT_{name.upper()}": value for name, value in given.items()}},
        start_new_session=True,
    )


@contextlib.contextmanager
def at_work(hub: Live, ledger: Ledger) -> Iterator[list[Future[None]]]:
    """Clients until the end of the block. Then what one of them could not get over is raised."""
    stop = threading.Event()
    with ThreadPoolExecutor(CLIENTS) as threads:
        clients = [threads.submit(load, hub, ledger, number, stop) for number in range(CLIENTS)]
        try:
            yield clients
        finally:
            stop.set()
    for client in clients:
        client.result()


def wait_for_progress(clients: list[Future[None]], ledger: Ledger) -> None:
    """Return at a random moment after one more blob was acknowledged, or as soon as a client failed."""
    before = len(ledger.blobs)
    for _ in range(60):
        failed = wait(clients, random.uniform(0.4, 1.5), FIRST_EXCEPTION).done
        if failed or len(ledger.blobs) > before:
            return
    raise AssertionError("nothing is acknowledged any more")


def test_kill_9_in_the_middle_of_everything(tmp_path: Path) -> None:
    data = tmp_path / "data"
    made = entrepot("init", "--data", str(data), "--email", MAIN[0], "--password", MAIN[1], "--json")
    keys = json.loads(made.stdout)
    port, ledger = free_port(), Ledger()
    process = serve(data, port, **SETTINGS)
    settings = config.load(environ={}, data=str(data), database_url=postgres.url_of(data))
    public, private = keys["PublicKey"], keys["PrivateKey"]
    hub = Live(f"http://127.0.0.1:{port}", port, data, *MAIN, public, private, keys["ProjectId"], process)
    make_bucket(hub, BUCKET)
    for number in range(ROUNDS):
        with at_work(hub, ledger) as clients:
            collector = collect(data)
            wait_for_progress(clients, ledger)
            for killed in random.sample([process, collector], 2):
                os.killpg(killed.pid, signal.SIGKILL)
                killed.wait()
        process = serve(data, port, **SETTINGS)  # it finds the database as the kill left it, nobody repairs it before
        with Pusher(port, MAIN) as client:
            check(client, ledger)
        assert asyncio.run(findings(settings)) == []
        if number % 10 == 7:
            checked = entrepot("fsck", "--data", str(data), "--deep")
            assert (checked.returncode, checked.stdout) == (0, "Clean.\n"), checked.stdout + checked.stderr
        if number % 25 == 24:
            print(
                f"{number + 1} kills, {len(ledger.blobs):,} blobs and {len(ledger.manifests):,} manifests", flush=True
            )
    process.terminate()
    assert process.wait(20) == 0
    assert len(ledger.manifests) > ROUNDS * CLIENTS, "too few pushes to mean anything"
