"""kill -9 of the hub at each step of a run: it goes on, and what was recorded is not done again."""

import base64
import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from ucloud.client import Client

from tests.conftest import entrepot, free_port, serve
from tests.flows.conftest import World
from tests.model.flow.kit import start, step
from tests.model.flow.kit import template as made

pytestmark = pytest.mark.slow
STEPS = 10


def chain(world: World) -> dict[str, Any]:
    steps = [
        step(f"s{place}", "HttpActivity", f"s{place + 1}" if place + 1 < STEPS else "end",
             {"url": f"{world.url}/s{place}", "method": "POST", "body": {"Step": place}})
        for place in range(STEPS)
    ]  # fmt: skip
    return made(start("s0"), *steps)


def test_a_hub_that_is_killed_at_every_step(tmp_path: Path, world: World) -> None:
    data = tmp_path / "data"
    init = entrepot("init", "--data", str(data), "--email", "main@example.com", "--password", "correct horse", "--json")
    secrets = json.loads(init.stdout)
    port = free_port()
    process = serve(data, port, outbound_networks="127.0.0.0/8")
    client = Client({"base_url": f"http://127.0.0.1:{port}", "region": "cn-bj2", "project_id": secrets["ProjectId"],
                     "public_key": secrets["PublicKey"], "private_key": secrets["PrivateKey"]})  # fmt: skip
    namespace = client.invoke("CreateSFNamespace", {"Namespace": "kill"})["NamespaceId"]
    text = base64.b64encode(json.dumps(chain(world)).encode()).decode()
    client.invoke("CreateSFWorkflowFromTemplate", {"Namespace": namespace, "WorkflowName": "ten", "Workflow": text})
    client.invoke("PublishSFWorkflow", {"WorkflowId": f"{namespace}.ten"})
    gates = {place: threading.Event() for place in range(STEPS)}
    for place, gate in gates.items():
        # The step is in flight until it was seen and the hub killed; the second time it is answered at once.
        world.say[f"/s{place}"] = lambda gate=gate: gate.wait(60) and None
    asked = client.invoke("RunSFWorkflow", {"WorkflowId": f"{namespace}.ten"})["InstanceId"]
    try:
        for place in range(STEPS):
            until = time.monotonic() + 60
            while f"/s{place}" not in world.paths():
                assert time.monotonic() < until, (place, world.paths())
                time.sleep(0.02)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            gates[place].set()
            process = serve(data, port, outbound_networks="127.0.0.0/8")
        until = time.monotonic() + 60
        while not (found := client.invoke("GetSFInstance", {"InstanceId": asked}))["Instance"]["EndTime"]:
            assert time.monotonic() < until, found
            time.sleep(0.1)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert found["Instance"]["State"] == "Success", found
    # Killed in flight: done again, once; what was recorded before: never.
    assert [world.paths().count(f"/s{place}") for place in range(STEPS)] == [2] * STEPS
    first = [world.paths().index(f"/s{place}") for place in range(STEPS)]
    assert first == sorted(first)
