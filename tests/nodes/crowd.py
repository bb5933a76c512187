"""Clients at work while something breaks, and the verdict afterwards."""

import asyncio
import contextlib
import os
import time
from collections.abc import Iterator

from tests.clients.conftest import MAIN
from tests.clients.judge import check, findings
from tests.clients.pushing import Pusher
from tests.nodes.clients import PATIENCE, Client
from tests.nodes.town import FRONT, Town

CLIENTS = int(os.environ.get("ENTREPOT_NODE_CLIENTS", "16"))


class Crowd:
    """Everybody at once, each turn after turn."""

    def __init__(self, town: Town) -> None:
        self.clients = [Client(number, town.live, town.ledger, town.clients) for number in range(CLIENTS)]

    def go_on(self, turns: int = 1) -> None:
        """Return when each client has ended so many more turns."""
        goals = [(client, client.turns + turns) for client in self.clients]
        until = time.monotonic() + PATIENCE
        while any(client.turns < goal for client, goal in goals):
            assert all(client.is_alive() for client in self.clients), self.faults()
            assert time.monotonic() < until, "some clients do not get on"
            time.sleep(0.05)

    @property
    def repeats(self) -> int:
        """Requests that had to be made again, so far."""
        return sum(client.repeats for client in self.clients)

    def faults(self) -> list[str]:
        return [f"{client.name}: {client.fault}" for client in self.clients if client.fault]


@contextlib.contextmanager
def crowd(town: Town) -> Iterator[Crowd]:
    """Clients at work. When they have ended, nothing that the hub said is untrue, and nothing is left half."""
    made = Crowd(town)
    for client in made.clients:
        client.start()
    try:
        made.go_on()
        with town.jobs.going_on(town.clients, town.actions):
            yield made
        made.go_on()
    finally:
        for client in made.clients:
            client.stop()
        for client in made.clients:
            client.join()
    assert made.faults() == []
    with town.clients, Pusher(80, MAIN, host=FRONT) as asking:
        check(asking, town.ledger)
    with town.store:
        found = asyncio.run(findings(town.inside.settings))
    assert all(one.kind == "orphan" for one in found), found  # of an upload whose node was cut off before the row
