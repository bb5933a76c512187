"""Three nodes behind nginx and 16 clients, while one thing breaks after another: nothing acknowledged is lost, and
clients get over it by repeating themselves.
"""

import os
import time

import pytest

from tests.nodes.crowd import crowd
from tests.nodes.town import LEFT_OUT, NODES, Town

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("nodes")]
ROUNDS = int(os.environ.get("ENTREPOT_NODE_ROUNDS", "1"))
takes_minutes = pytest.mark.skipif("ENTREPOT_NODE_ROUNDS" not in os.environ, reason="a minute each: make torture")
CUT_SECONDS = float(os.environ.get("ENTREPOT_NODE_CUT", "5"))
"""How long what everybody needs is away."""


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_kill_9_of_a_node(three: Town, turn: int) -> None:
    killed = NODES[turn % len(NODES)]
    with crowd(three) as clients:
        three.kill(killed)
        clients.go_on()
        three.start(killed)


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_the_database_is_cut_off_from_all(three: Town, turn: int) -> None:
    with crowd(three), three.cut_off("rows"):
        time.sleep(CUT_SECONDS)


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_the_store_is_cut_off_from_all(three: Town, turn: int) -> None:
    with crowd(three), three.net.cut("store", "back"):
        time.sleep(CUT_SECONDS)


@takes_minutes
@pytest.mark.parametrize("turn", range(ROUNDS))
def test_the_store_is_slow(three: Town, turn: int) -> None:
    with crowd(three) as clients, three.net.slow("store", "back"):
        clients.go_on()


@takes_minutes
@pytest.mark.parametrize("turn", range(ROUNDS))
def test_one_node_is_cut_off_from_the_database(three: Town, turn: int) -> None:
    """In the middle of whatever it does: the others get its locks."""
    lonely = NODES[turn % len(NODES)]
    with crowd(three) as clients, three.cut_off(lonely):
        clients.go_on()


@takes_minutes
@pytest.mark.parametrize("turn", range(ROUNDS))
def test_one_node_cannot_be_reached(three: Town, turn: int) -> None:
    lonely = NODES[turn % len(NODES)]
    with crowd(three) as clients, three.net.cut(lonely, "front"):
        clients.go_on()


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_kill_9_of_a_worker_of_a_node_with_two(three: Town, turn: int) -> None:
    name = NODES[turn % len(NODES)]
    three.stop(name)
    three.start(name, "--workers", "2")
    with crowd(three) as clients:
        three.kill_worker(name)
        clients.go_on()
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
