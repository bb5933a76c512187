"""One run as a DBOS workflow: each activity one durable step. Everything here runs on the engine's loop."""

import asyncio
import json
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog
from dbos import DBOS, DBOSConfig, SetWorkflowID, StepOptions, StepReservation

from entrepot.flows.calls import perform
from entrepot.flows.outbound import CallFailed
from entrepot.flows.records import Plain, told, url_of
from entrepot.model.flow import kinds
from entrepot.model.flow import template as templates
from entrepot.model.flow.replay import Record, result_of
from entrepot.model.flow.run import Result, Run, Task
from entrepot.ops.context import Hub
from entrepot.store.db import Rows
from entrepot.store.sql import flow_runs as runs_sql
from entrepot.store.sql import flows as sql

T = TypeVar("T")
VERSION = "1"
"""Of the way a run is recorded: runs that were begun by an older hub go on in a newer one of the same version."""
GONE = frozenset({"ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED", "CANCELLED"})

log = structlog.get_logger("flows")


class Durable:
    """DBOS over the hub's ``flow.db``. There is one in a process."""

    current: "Durable | None" = None

    def __init__(self, hub: Hub, hub_loop: asyncio.AbstractEventLoop) -> None:
        self._hub = hub
        self._hub_loop = hub_loop
        self._stops: dict[str, asyncio.Event] = {}
        self._is_left = False
        self.at_work: set[str] = set()

    async def launch(self) -> None:
        """Open the records and take up what was not finished."""
        config: DBOSConfig = {
            "name": "entrepot",
            "system_database_url": url_of(self._hub),
            "application_version": VERSION,
            "executor_id": "hub",
            "log_level": "ERROR",
            "serializer": Plain(),
            "run_migrations": True,
        }
        Durable.current = self
        DBOS(config=config)
        DBOS.launch()

    async def stop(self) -> None:
        """Leave runs where they are; they go on at the next start."""
        self._is_left = True  # from here on a fault says that the records are closed, nothing of the run
        await asyncio.to_thread(DBOS.destroy)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        Durable.current = None

    async def begin(self, instance_id: str, forked_from: str, from_step: int) -> None:
        """Start a run, once: the same id again is the same run."""
        if forked_from and await DBOS.get_workflow_status_async(instance_id) is not None:
            return
        with SetWorkflowID(instance_id):
            if forked_from:
                await DBOS.fork_workflow_async(forked_from, from_step, application_version=VERSION)
            else:
                self.at_work.add(instance_id)
                await DBOS.start_workflow_async(run_instance)

    async def cancel(self, instance_id: str) -> None:
        """Stop a run; a step that is at work is ended."""
        await DBOS.cancel_workflow_async(instance_id)
        if instance_id in self._stops:
            self._stops[instance_id].set()

    async def why_gone(self, instance_id: str) -> str:
        """Why a run will not go on, or ""."""
        status = await DBOS.get_workflow_status_async(instance_id)
        if status is None:
            return "the records of its steps are gone (flow.db); what it did is not known, run it again"
        return f"it cannot go on: {status.status}" if status.status in GONE else ""

    async def forget(self, ids: list[str]) -> None:
        """Delete the records of runs."""
        await DBOS.delete_workflows_async(ids)

    async def on_hub(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something on the hub's loop, where its rows and verbs are."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._hub_loop))

    async def run(self, instance_id: str) -> None:
        """A run from its start, or, done again after a kill, from its records."""
        self.at_work.add(instance_id)
        self._stops[instance_id] = asyncio.Event()
        open_: dict[int, tuple[Task, asyncio.Task[Result]]] = {}
        try:
            loaded = await DBOS.run_step_async({"name": ".load"}, self._load, instance_id)
            made = Run(templates.parse(loaded["Template"]), loaded["Input"], loaded["Globals"], loaded["At"])
            tasks = made.start()
            while made.state == "Running":
                for task in tasks:
                    step = self._perform(DBOS.reserve_step(), instance_id, task)
                    open_[task.key] = (task, asyncio.create_task(step))
                key = await _first_of(open_)
                tasks = made.done(key, await open_.pop(key)[1])
            await DBOS.run_step_async({"name": ".finish"}, self._finish, instance_id, made)
        except Exception as fault:
            self._unless_left(fault)
            log.exception("a run failed in the engine", instance=instance_id)
            await self._end(instance_id, "Failure", "", f"the engine failed: {told(fault)}")
        finally:
            for _, left in open_.values():
                left.cancel()
            await asyncio.gather(*(left for _, left in open_.values()), return_exceptions=True)
            self.at_work.discard(instance_id)
            self._stops.pop(instance_id, None)

    async def _load(self, instance_id: str) -> dict[str, Any]:
        def load(rows: Rows) -> dict[str, Any]:
            instance = runs_sql.find(rows, instance_id)
            version = sql.version(rows, instance.workflow_id, instance.version) if instance else None
            if instance is None or version is None:
                raise CallFailed("the run or its version is not known any more")
            namespace = instance.workflow_id.partition(".")[0]
            values = {name: json.loads(value) for name, value in sql.globals_of(rows, namespace).items()}
            return {
                "Template": version.template,
                "Input": json.loads(instance.input),
                "Globals": {namespace: values},
                "At": self._hub.clock(),
            }

        return await self.on_hub(self._hub.db.read(load))

    async def _finish(self, instance_id: str, made: Run) -> str:
        output = json.dumps(made.output) if made.state == "Success" else ""
        await self._end(instance_id, made.state, output, made.fault)
        return made.state

    async def _end(self, instance_id: str, state: str, output: str, fault: str) -> None:
        now = int(self._hub.clock())
        await self.on_hub(self._hub.db.write(runs_sql.end, instance_id, state, output, fault, now))

    async def _perform(self, reserved: StepReservation, instance_id: str, task: Task) -> Result:
        options: StepOptions = {
            "name": task.name,
            "retries_allowed": task.retries > 0,
            "max_attempts": task.retries + 1,
            "interval_seconds": 1.0,
            "backoff_rate": 2.0,
            "should_retry": _may_retry,
            "preemptible": True,
            "timeout_seconds": task.timeout / 1000,
        }
        try:
            record = await reserved.run_async(options, self._do, instance_id, task)
        except Exception as fault:
            self._unless_left(fault)
            return Result(None, told(fault))
        result = result_of(task, Record(record["Response"], "", record["At"]))
        if task.type == kinds.WAIT:
            stop = self._stops[instance_id]
            try:
                await asyncio.wait_for(stop.wait(), max(result.at - self._hub.clock(), 0))
            except TimeoutError:
                return result
            return Result(None, "cancelled")
        return result

    def _unless_left(self, fault: Exception) -> None:
        if self._is_left:
            raise asyncio.CancelledError from fault

    async def _do(self, instance_id: str, task: Task) -> dict[str, Any]:
        response = await self.on_hub(perform(self._hub, instance_id, task))
        return {"Response": response, "At": self._hub.clock()}


async def _first_of(open_: dict[int, tuple[Task, "asyncio.Task[Result]"]]) -> int:
    """The key of the task that ended first; recorded where there is a choice, so that it is the same after a kill."""
    if len(open_) == 1:
        return min(open_)

    async def choose() -> dict[str, Any]:
        await asyncio.wait([one for _, one in open_.values()], return_when=asyncio.FIRST_COMPLETED)
        return {"Response": next(key for key, (_, one) in open_.items() if one.done()), "At": 0.0}

    record = await DBOS.reserve_step().run_async({"name": ".order"}, choose)
    return int(record["Response"])


def _may_retry(fault: BaseException) -> bool:
    return not isinstance(fault, CallFailed) or fault.may_retry


@DBOS.workflow(name="run_instance")
async def run_instance() -> None:
    """The workflow that DBOS knows: its id is the run's."""
    durable, instance_id = Durable.current, DBOS.workflow_id
    assert durable is not None
    assert instance_id is not None
    await durable.run(instance_id)
