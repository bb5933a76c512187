"""Handlers of api/webhooks.py."""

from entrepot.actions.run import Call, handles
from entrepot.api import webhooks as api
from entrepot.api.declare import Response
from entrepot.api.events import EventKind
from entrepot.ops import webhooks


@handles(api.CreateBucketWebhook)
async def create_webhook(call: Call, request: api.CreateBucketWebhook) -> api.NewWebhook:
    """The only answer with its secret."""
    made, secret = await webhooks.create(
        call.ctx,
        request.bucket_name,
        url=request.url,
        kinds=[one.value for one in request.event],
        tags=request.match,
        secret=request.secret,
        enabled=request.enabled,
    )
    return api.NewWebhook(webhook_id=made, secret=secret)


def changed_kinds(event: list[EventKind] | None, *, all_events: bool) -> list[str] | None:
    """None: they stay as they are."""
    if all_events:
        return []
    return None if event is None else [one.value for one in event]


@handles(api.UpdateBucketWebhook)
async def update_webhook(call: Call, request: api.UpdateBucketWebhook) -> Response:
    """What was sent."""
    await webhooks.update(
        call.ctx,
        request.bucket_name,
        request.webhook_id,
        url=request.url,
        kinds=changed_kinds(request.event, all_events=request.all_events),
        tags=[] if request.all_tags else request.match,
        secret=request.secret,
        enabled=request.enabled,
    )
    return Response()


@handles(api.DeleteBucketWebhook)
async def delete_webhook(call: Call, request: api.DeleteBucketWebhook) -> Response:
    """With its deliveries."""
    await webhooks.delete(call.ctx, request.bucket_name, request.webhook_id)
    return Response()


@handles(api.ListBucketWebhooks)
async def list_webhooks(call: Call, request: api.ListBucketWebhooks) -> api.Webhooks:
    """All of them: a bucket has at most twenty."""
    return api.Webhooks(
        webhook_set=[
            api.Webhook(
                webhook_id=hook.id,
                url=hook.url,
                event=hook.kinds.split(),
                match=hook.tags.split(),
                enabled=bool(hook.is_enabled),
                failures=hook.failures,
                waiting_count=waiting,
                dead_count=dead,
                create_time=hook.created_at,
            )
            for hook, waiting, dead in await webhooks.list_all(call.ctx, request.bucket_name)
        ]
    )


@handles(api.TestBucketWebhook)
async def test_webhook(call: Call, request: api.TestBucketWebhook) -> api.TestedWebhook:
    """What came back; no answer is one as well."""
    tried = await webhooks.test(call.ctx, request.bucket_name, request.webhook_id)
    return api.TestedWebhook(delivered=tried.is_taken, status=tried.status, latency=tried.took, answer=tried.answer)


@handles(api.ListWebhookDeliveries)
async def list_deliveries(call: Call, request: api.ListWebhookDeliveries) -> api.WebhookDeliveries:
    """Newest first."""
    state = request.state.value if request.state else None
    found = await webhooks.deliveries(
        call.ctx, request.bucket_name, request.webhook_id, state, request.before or 2**53, request.limit
    )
    return api.WebhookDeliveries(
        delivery_set=[
            api.WebhookDelivery(
                delivery_id=one.id,
                number=sent.number,
                kind=sent.kind,
                image_name=sent.image,
                tag_name=sent.tag,
                state=one.state,
                tries=one.tries,
                status=one.status,
                latency=one.took,
                answer=one.answer,
                event_time=sent.at,
                last_time=one.tried_at,
                next_time=one.due_at,
            )
            for sent in found
            for one in [sent.delivery]
        ]
    )


@handles(api.RedeliverWebhook)
async def redeliver_webhook(call: Call, request: api.RedeliverWebhook) -> api.Redelivered:
    """One, or all that are dead."""
    count = await webhooks.redeliver(call.ctx, request.bucket_name, request.webhook_id, request.delivery_id)
    return api.Redelivered(count=count)
