"""Runs of a workflow that are begun through the balancer, one after the other. Each one's only step calls a server that
notes it, so a job that two nodes do, or one of them twice, is seen there.
"""

import contextlib
import json
import threading
from collections import Counter
from collections.abc import Iterator

from entrepot.client.actions import ActionError, ActionsClient
from tests.flows.conftest import Flows, World
from tests.model.flow.kit import param, start, step, template
from tests.nodes.street import Place

TRIES = 400


class Jobs:
    """The workflow, the server that its step calls, and what was asked for in the life of the hub."""

    def __init__(self, flows: Flows, place: Place, host: str) -> None:
        self._flows = flows
        with place:
            self._world = World(host)
        call = {"url": f"{self._world.url}/${{workflow.input.Job}}", "method": "POST", "body": {}}
        self._flow = flows.save(
            template(start("call"), step("call", "HttpActivity", "end", call), inputs=[param("Job")])
        )
        self._serving = threading.Thread(target=self._world.serve_forever, args=(0.02,), daemon=True)
        self._serving.start()
        self._asked = 0
        self._done: list[str] = []
        self.lost = 0
        """How many times a node was lost with what it had in flight: that job may be done again, once."""

    @contextlib.contextmanager
    def going_on(self, place: Place, hub: ActionsClient) -> Iterator[None]:
        """Job after job meanwhile; at least one is done, each by one node and once."""
        stop, before, faults = threading.Event(), len(self._done), []

        def work() -> None:
            try:
                with place:
                    while not stop.is_set() or len(self._done) == before:
                        self._do(hub)
            except Exception as fault:
                faults.append(fault)

        thread = threading.Thread(target=work, name="jobs")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
        assert faults == []
        self._check()

    def _do(self, hub: ActionsClient) -> None:
        """One job, asked for until a node says that it will be done: what got no answer is not asked for again."""
        for _ in range(TRIES):
            self._asked += 1
            job = f"job-{self._asked}"
            with contextlib.suppress(ActionError):
                asked = hub.call("RunSFWorkflow", WorkflowId=self._flow, Input=json.dumps({"Job": job}))
                ended = self._flows.ended(asked["InstanceId"])
                assert ended["Instance"]["State"] == "Success", ended
                self._done.append(job)
                return
            threading.Event().wait(0.2)
        raise AssertionError("no job can be begun")

    def _check(self) -> None:
        calls = Counter(path.strip("/") for path in self._world.paths())
        assert set(self._done) <= set(calls)
        again = {job: times for job, times in calls.items() if times > 1}
        assert max(again.values(), default=1) <= 2, again
        assert len(again) <= self.lost, again

    def close(self) -> None:
        self._world.shutdown()
        self._serving.join()
        self._world.server_close()
