"""kill -9 of the hub in the middle of runs: each goes on, and what was recorded is not done again."""

import base64
import json
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ucloud.client import Client

from tests import postgres
from tests.conftest import entrepot, free_port, in_environment, serve
from tests.flows.conftest import World
from tests.model.flow.kit import start, step
from tests.model.flow.kit import template as made

pytestmark = pytest.mark.slow
STEPS, RUNS, KILLS = 10, 10, 12


class Nodes:
    """A hub served by processes that may be killed, and its one namespace."""

    def __init__(self, data: Path, **settings: str) -> None:
        self.data, self.settings = data, {"outbound_networks": "127.0.0.0/8", **settings}
        words = ("--data", str(data), "--email", "main@example.com", "--password", "correct horse", "--json")
        init = entrepot("init", *words, env={**os.environ, **in_environment(settings)})
        self.secrets = json.loads(init.stdout)
        self.serving: dict[int, subprocess.Popen[bytes]] = {}
        self.namespace = ""

    def start(self, port: int = 0) -> int:
        """One more; where it listens."""
        port = port or free_port()
        self.serving[port] = serve(self.data, port, **self.settings)
        return port

    def kill(self, port: int) -> None:
        process = self.serving.pop(port)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def client(self, port: int) -> Client:
        known = self.secrets
        return Client({"base_url": f"http://127.0.0.1:{port}", "region": "cn-bj2", "project_id": known["ProjectId"],
                       "public_key": known["PublicKey"], "private_key": known["PrivateKey"]})  # fmt: skip

    def save(self, port: int, name: str, template: dict[str, Any]) -> str:
        """Make and publish a workflow; its id."""
        client = self.client(port)
        if not self.namespace:
            self.namespace = client.invoke("CreateSFNamespace", {"Namespace": "kill"})["NamespaceId"]
        text = base64.b64encode(json.dumps(template).encode()).decode()
        asked = {"Namespace": self.namespace, "WorkflowName": name, "Workflow": text}
        client.invoke("CreateSFWorkflowFromTemplate", asked)
        client.invoke("PublishSFWorkflow", {"WorkflowId": f"{self.namespace}.{name}"})
        return f"{self.namespace}.{name}"

    def run(self, port: int, workflow: str) -> str:
        return str(self.client(port).invoke("RunSFWorkflow", {"WorkflowId": workflow})["InstanceId"])

    def state(self, port: int, instance: str) -> str:
        """How a run ended."""
        until = time.monotonic() + 60
        while not (found := self.client(port).invoke("GetSFInstance", {"InstanceId": instance}))["Instance"]["EndTime"]:
            assert time.monotonic() < until, found
            time.sleep(0.1)
        return str(found["Instance"]["State"])


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    made = Nodes(tmp_path / "data")
    yield made
    for port in list(made.serving):
        made.kill(port)


@pytest.fixture
def shared_rows(tmp_path: Path) -> Iterator[Nodes]:
    """The same with its rows on PostgreSQL, so that several may serve."""
    made = Nodes(tmp_path / "data", **({} if postgres.WANTED else {"database_url": postgres.shared().hub_database()}))
    yield made
    for port in list(made.serving):
        made.kill(port)


def chain(world: World, name: str) -> dict[str, Any]:
    steps = [
        step(f"s{place}", "HttpActivity", f"s{place + 1}" if place + 1 < STEPS else "end",
             {"url": f"{world.url}/{name}/s{place}", "method": "POST", "body": {"Step": place}})
        for place in range(STEPS)
    ]  # fmt: skip
    return made(start("s0"), *steps)


def until_called(world: World, path: str) -> None:
    until = time.monotonic() + 60
    while path not in world.paths():
        assert time.monotonic() < until, (path, world.paths())
        time.sleep(0.02)


def called(world: World, name: str) -> list[int]:
    """The steps of a chain in the order in which they were called."""
    return [int(path.partition("/s")[2]) for path in world.paths() if path.startswith(f"/{name}/")]


def at_most_once_more(steps: list[int], kills: int) -> bool:
    """Whether each step was called, and only what was in flight at a kill again: never one before it."""
    return steps == sorted(steps) and set(steps) == set(range(STEPS)) and len(steps) <= STEPS + kills


def test_a_hub_that_is_killed_at_every_step(nodes: Nodes, world: World) -> None:
    port = nodes.start()
    workflow = nodes.save(port, "ten", chain(world, "ten"))
    gates = {place: threading.Event() for place in range(STEPS)}
    for place, gate in gates.items():
        # The step is in flight until it was seen and the hub killed; the second time it is answered at once.
        world.say[f"/ten/s{place}"] = lambda gate=gate: gate.wait(60)
    asked = nodes.run(port, workflow)
    for place in range(STEPS):
        until_called(world, f"/ten/s{place}")
        nodes.kill(port)
        gates[place].set()
        nodes.start(port)
    assert nodes.state(port, asked) == "Success"
    # Killed in flight: done again, once; what was recorded before: never.
    assert called(world, "ten") == [place for place in range(STEPS) for _ in range(2)]


def test_ten_runs_at_once_in_a_hub_that_is_killed_again_and_again(nodes: Nodes, world: World) -> None:
    port = nodes.start()
    names = [f"run{number}" for number in range(RUNS)]
    workflows = [nodes.save(port, name, chain(world, name)) for name in names]
    for name in names:
        for place in range(STEPS):
            world.say[f"/{name}/s{place}"] = lambda: time.sleep(random.uniform(0, 0.05))
    asked = [nodes.run(port, workflow) for workflow in workflows]
    for kill in range(KILLS):
        goal = (kill + 1) * RUNS * STEPS // (KILLS + 1)
        until = time.monotonic() + 60
        while len(world.calls) < goal:
            assert time.monotonic() < until, world.paths()
            time.sleep(0.005)
        nodes.kill(port)
        nodes.start(port)
    assert [nodes.state(port, one) for one in asked] == ["Success"] * RUNS
    for name in names:
        assert at_most_once_more(called(world, name), KILLS), (name, called(world, name))


def test_a_node_that_is_killed_for_good_leaves_its_runs_to_the_other_one(shared_rows: Nodes, world: World) -> None:
    nodes = shared_rows
    first, second = nodes.start(), nodes.start()
    names = [f"run{number}" for number in range(RUNS)]
    workflows = [nodes.save(first, name, chain(world, name)) for name in names]
    gate = threading.Event()
    for name in names:
        world.say[f"/{name}/s4"] = lambda: gate.wait(60)
    asked = [nodes.run((first, second)[number % 2], workflow) for number, workflow in enumerate(workflows)]
    for name in names:
        until_called(world, f"/{name}/s4")
    [working] = [port for port in (first, second) if is_at_work(nodes, port)]
    nodes.kill(working)
    gate.set()
    left = first + second - working
    assert [nodes.state(left, one) for one in asked] == ["Success"] * RUNS
    for name in names:
        assert called(world, name) == [0, 1, 2, 3, 4, 4, 5, 6, 7, 8, 9]


def is_at_work(nodes: Nodes, port: int) -> bool:
    """Whether a node is the one that runs workflows: it holds the lock of the data folder."""
    opened = Path(f"/proc/{nodes.serving[port].pid}/fd").iterdir()
    return any(one.resolve().name == "flow.lock" for one in opened)
