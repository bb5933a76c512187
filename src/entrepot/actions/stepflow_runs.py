"""Handlers of api/stepflow_runs.py."""

import json
from typing import Any

from entrepot.actions.run import Call, handles
from entrepot.api import stepflow_runs as api
from entrepot.api.declare import Response
from entrepot.model.flow import template as templates
from entrepot.model.flow.replay import Record, replay
from entrepot.model.flow.run import Run
from entrepot.ops import flows
from entrepot.store.db import Rows
from entrepot.store.sql import flow_runs as sql


@handles(api.RunSFWorkflow)
async def run_workflow(call: Call, request: api.RunSFWorkflow) -> api.AskedRun:
    """The engine takes it up."""
    made = await flows.run(
        call.ctx, request.workflow_id, request.project_id, request.workflow_version, request.input, call.host
    )
    return api.AskedRun(instance_id=made)


def _instance(one: sql.Instance) -> api.Instance:
    return api.Instance(
        instance_id=one.id,
        workflow_id=one.workflow_id,
        version=one.version,
        state=one.state,
        cause=one.cause,
        user=one.who,
        fault=one.fault,
        parent=one.parent,
        create_time=one.created_at,
        end_time=one.ended_at,
    )


@handles(api.ListSFInstances)
async def list_instances(call: Call, request: api.ListSFInstances) -> api.Instances:
    """Of one workflow."""

    def load(rows: Rows) -> list[sql.Instance]:
        found = flows.open_workflow(rows, call.ctx.who, request.workflow_id, request.project_id)
        state = request.state.value if request.state else None
        return sql.page(rows, found.id, state, request.offset, request.limit)

    return api.Instances(instance_set=[_instance(one) for one in await call.ctx.hub.db.read(load)])


@handles(api.GetSFInstance)
async def get_instance(call: Call, request: api.GetSFInstance) -> api.InstanceDetail:
    """Its way is worked out again from the records of its steps."""
    found = await call.ctx.hub.db.read(flows.open_instance, call.ctx.who, request.instance_id, request.project_id)
    steps = [] if found.state == "Waiting" else await call.ctx.hub.engine.steps(found.id)
    return api.InstanceDetail(
        instance=_instance(found),
        input=json.loads(found.input),
        output=json.loads(found.output) if found.output else None,
        step_set=track(steps, call.ctx.hub.clock()),
    )


def track(steps: list[dict[str, Any]], now: float) -> list[api.TrackStep]:
    """The way of a run as its records show it; nothing before the first one."""
    loaded = next((one["Loaded"] for one in steps if one["Name"] == ".load" and one["Loaded"]), None)
    if loaded is None:
        return []
    run = Run(templates.parse(loaded["Template"]), loaded["Input"], loaded["Globals"], loaded["At"])
    by_number = {one["Number"]: one for one in steps}
    records = {number: Record(one["Response"], one["Fault"], one["At"]) for number, one in by_number.items()}
    numbers = replay(run, records, now)
    found = []
    for visit in run.track:
        step = by_number.get(numbers.get(visit.task or 0, 0), {})
        found.append(
            api.TrackStep(
                name=visit.name,
                type=visit.type,
                state=visit.state,
                fault=visit.fault,
                input=visit.input,
                output=visit.output,
                response=step.get("Response"),
                begin_time=step.get("Began", 0.0),
                end_time=step.get("Ended", 0.0),
            )
        )
    return found


@handles(api.CancelSFInstance)
async def cancel_instance(call: Call, request: api.CancelSFInstance) -> Response:
    """The engine ends it."""
    await flows.cancel(call.ctx, request.instance_id, request.project_id)
    return Response()


@handles(api.RerunSFInstance)
async def rerun_instance(call: Call, request: api.RerunSFInstance) -> api.AskedRun:
    """A new run; the old one stays as it is."""
    from_failed = request.run_from is api.RunFrom.FAILED
    made = await flows.rerun(call.ctx, request.instance_id, request.project_id, from_failed=from_failed, host=call.host)
    return api.AskedRun(instance_id=made)
