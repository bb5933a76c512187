"""Three nodes behind nginx and 16 clients, while one thing breaks after another: nothing acknowledged is lost, and
clients get over it by repeating themselves.
"""

import os
import time
from collections.abc import Iterator

import pytest

from tests.conftest import Loop
from tests.nodes.crowd import crowd
from tests.nodes.town import LEFT_OUT, NODES, Town, town

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("nodes")]
ROUNDS = int(os.environ.get("ENTREPOT_NODE_ROUNDS", "1"))
CUT_SECONDS = float(os.environ.get("ENTREPOT_NODE_CUT", "5"))
"""How long what everybody needs is away."""


@pytest.fixture(scope="module")
def three(loop: Loop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(loop, tmp_path_factory.mktemp("town")) as made:
        yield made


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_kill_9_of_a_node(three: Town, turn: int) -> None:
    killed = NODES[turn % len(NODES)]
    with crowd(three) as clients:
        three.kill(killed)
        clients.go_on()
        three.start(killed)


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_the_database_is_cut_off_from_all(three: Town, turn: int) -> None:
    with crowd(three), three.net.cut("rows", "back"):
        time.sleep(CUT_SECONDS)


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_one_node_is_cut_off_from_the_database(three: Town, turn: int) -> None:
    """In the middle of whatever it does: the others get its locks."""
    lonely = NODES[turn % len(NODES)]
    with crowd(three) as clients, three.net.cut(lonely, "back"):
        clients.go_on()


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_one_node_cannot_be_reached(three: Town, turn: int) -> None:
    lonely = NODES[turn % len(NODES)]
    with crowd(three) as clients, three.net.cut(lonely, "front"):
        clients.go_on()


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
