"""Handlers of api/events.py."""

import json

from entrepot.actions.run import Call, handles
from entrepot.api.events import Event, Events, ListEvents
from entrepot.ops import events


@handles(ListEvents)
async def list_events(call: Call, request: ListEvents) -> Events:
    """By number."""
    kind = request.kind.value if request.kind else None
    found = await events.page(call.ctx, request.bucket_name, kind, request.after, request.limit)
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
