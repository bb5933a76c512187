"""Three nodes behind nginx and 16 clients, while one thing breaks after another: nothing acknowledged is lost, and
clients get over it by repeating themselves.
"""

import os
import signal
import time

import pytest

from tests.conftest import workers_of
from tests.nodes.crowd import crowd
from tests.nodes.town import LEFT_OUT, NODES, Town

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("nodes"),
    pytest.mark.filterwarnings("ignore:<psycopg.Connection .* was deleted while still open:ResourceWarning"),
]
ROUNDS = int(os.environ.get("ENTREPOT_NODE_ROUNDS", "1"))
takes_minutes = pytest.mark.skipif("ENTREPOT_NODE_ROUNDS" not in os.environ, reason="a minute each: make torture")
CUT_SECONDS = float(os.environ.get("ENTREPOT_NODE_CUT", "5"))
"""How long what everybody needs is away."""


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_kill_9_of_a_node(three: Town, turn: int) -> None:
    killed = NODES[turn % len(NODES)]
    with crowd(three) as clients:
        three.kill(killed)
        assert three.processes[killed].returncode == -signal.SIGKILL
        clients.go_on()
        three.start(killed)


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_the_database_is_cut_off_from_all(three: Town, turn: int) -> None:
    with crowd(three):
        with three.cut_off("rows"):
            assert not any(three.reaches(name, "rows") for name in NODES)
            time.sleep(CUT_SECONDS)
        assert all(three.reaches(name, "rows") for name in NODES)


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_the_store_is_cut_off_from_all(three: Town, turn: int) -> None:
    three.needs_store()
    with crowd(three):
        with three.net.cut("store", "back"):
            assert not any(three.reaches(name, "store") for name in NODES)
            time.sleep(CUT_SECONDS)
        assert all(three.reaches(name, "store") for name in NODES)


@takes_minutes
@pytest.mark.parametrize("turn", range(ROUNDS))
def test_the_store_is_slow(three: Town, turn: int) -> None:
    three.needs_store()
    with crowd(three) as clients, three.net.slow("store", "back") as held_up:
        clients.go_on()
        assert held_up() > 0


@takes_minutes
@pytest.mark.parametrize("turn", range(ROUNDS))
def test_one_node_is_cut_off_from_the_database(three: Town, turn: int) -> None:
    """In the middle of whatever it does: the others get its locks."""
    lonely = NODES[turn % len(NODES)]
    with crowd(three) as clients, three.cut_off(lonely):
        assert [name for name in NODES if not three.reaches(name, "rows")] == [lonely]
        clients.go_on()


@takes_minutes
@pytest.mark.parametrize("turn", range(ROUNDS))
def test_one_node_cannot_be_reached(three: Town, turn: int) -> None:
    lonely = NODES[turn % len(NODES)]
    with crowd(three) as clients, three.net.cut(lonely, "front"):
        assert [name for name in NODES if not three.reaches("balancer", name)] == [lonely]
        clients.go_on()


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_kill_9_of_a_worker_of_a_node_with_two(three: Town, turn: int) -> None:
    name = NODES[turn % len(NODES)]
    three.stop(name)
    three.start(name, "--workers", "2")
    with crowd(three) as clients:
        killed = three.kill_worker(name)
        clients.go_on()
        workers = workers_of(three.processes[name].pid)
        assert len(workers) == 2
        assert killed not in workers
    three.stop(name)
    three.start(name)


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_a_rolling_restart_is_seen_by_nobody(three: Town, turn: int) -> None:
    with crowd(three) as clients:
        before = clients.repeats
        for name in NODES:
            three.stop(name)
            three.start(name)
            time.sleep(LEFT_OUT)
            clients.go_on()
        assert clients.repeats == before
