"""Handlers of api/events.py."""

import json

from entrepot.actions.run import Call, handles
from entrepot.api.events import Event, EventOrder, Events, ListEvents
from entrepot.ops import events


@handles(ListEvents)
async def list_events(call: Call, request: ListEvents) -> Events:
    """By number, in either direction."""
    found = await events.page(
        call.ctx,
        request.bucket_name,
        request.kind.value if request.kind else None,
        between=(request.after, request.before or 2**53),
        limit=request.limit,
        newest_first=request.order_by is EventOrder.NEWEST,
    )
    return Events(
        event_set=[
            Event(
                number=one.number,
                kind=one.kind,
                image_name=one.image,
                tag_name=one.tag,
                digest=one.digest,
                detail=json.loads(one.detail),
                user=one.who,
                time=one.at,
            )
            for one in found
        ]
    )
