"""Handlers of api/triggers.py."""

from entrepot.actions.run import Call, handles
from entrepot.actions.webhooks import changed_kinds
from entrepot.api import triggers as api
from entrepot.api.declare import Response
from entrepot.ops import triggers


@handles(api.CreateSFTrigger)
async def create_trigger(call: Call, request: api.CreateSFTrigger) -> api.NewTrigger:
    """It fires from now on."""
    made = await triggers.create(
        call.ctx,
        request.workflow_id,
        request.project_id,
        request.trigger_kind.value,
        bucket=request.bucket,
        kinds=[one.value for one in request.event],
        tags=request.match,
        cron=request.cron,
        zone=request.time_zone,
        given=request.input,
        enabled=request.enabled,
    )
    return api.NewTrigger(trigger_id=made)


@handles(api.UpdateSFTrigger)
async def update_trigger(call: Call, request: api.UpdateSFTrigger) -> Response:
    """What was sent."""
    await triggers.update(
        call.ctx,
        request.trigger_id,
        request.project_id,
        bucket=request.bucket,
        kinds=changed_kinds(request.event, all_events=request.all_events),
        tags=[] if request.all_tags else request.match,
        cron=request.cron,
        zone=request.time_zone,
        given=request.input,
        enabled=request.enabled,
    )
    return Response()


@handles(api.DeleteSFTrigger)
async def delete_trigger(call: Call, request: api.DeleteSFTrigger) -> Response:
    """With what it would have started."""
    await triggers.delete(call.ctx, request.trigger_id, request.project_id)
    return Response()


@handles(api.ListSFTriggers)
async def list_triggers(call: Call, request: api.ListSFTriggers) -> api.Triggers:
    """Of one workflow."""
    found = await triggers.page(call.ctx, request.workflow_id, request.project_id, request.offset, request.limit)
    return api.Triggers(
        trigger_set=[
            api.Trigger(
                trigger_id=one.id,
                workflow_id=one.workflow_id,
                trigger_kind=one.kind,
                bucket=one.bucket,
                event=one.kinds.split(),
                match=one.tags.split(),
                cron=one.cron,
                time_zone=one.zone,
                input=one.input,
                enabled=bool(one.is_enabled),
                waiting_count=waiting,
                next_time=one.due_at,
                last_time=one.fired_at,
                last_instance_id=one.instance_id,
                last_fault=one.fault,
                create_time=one.created_at,
            )
            for one, waiting in found
        ]
    )
