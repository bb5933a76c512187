"""Webhooks of a bucket: where its events are posted; and one of them with its deliveries."""

from entrepot.api.webhooks import DeliveryState, Webhook
from entrepot.console.events import KINDS, spread_globs, wanted
from entrepot.console.pages import page, show_answer, stay, to
from entrepot.console.visit import Shown, Visit
from entrepot.errors import HubError, Kind

ROWS = 25
SECTION = "/console/buckets"
WEBHOOKS = "/console/bucket/webhooks"


@page(
    WEBHOOKS,
    section=SECTION,
    post=spread_globs,
    does={"CreateBucketWebhook": show_answer, "UpdateBucketWebhook": stay},
)
async def show_all(visit: Visit) -> Shown:
    """The webhooks of a bucket, and the form for a new one, whose secret is shown this once."""
    name = visit.query.get("name", "")
    bucket = (await visit.run("DescribeBucket", BucketName=name)).bucket
    webhooks = (await visit.run("ListBucketWebhooks", BucketName=name)).webhook_set
    form = {} if visit.answer is not None else visit.form
    return Shown(
        "webhooks.html",
        {
            "bucket": bucket,
            "tab": "webhooks",
            "webhooks": webhooks,
            "made": visit.answer,
            "kinds": KINDS,
            "wanted": wanted(form),
            "form": form,
        },
    )


async def _found(visit: Visit, bucket: str) -> Webhook:
    webhook_id = visit.query.get("id", "")
    for one in (await visit.run("ListBucketWebhooks", BucketName=bucket)).webhook_set:
        if one.webhook_id == webhook_id:
            found: Webhook = one
            return found
    raise HubError(Kind.WEBHOOK_UNKNOWN, webhook_id[:64])


@page(
    "/console/bucket/webhook",
    section=SECTION,
    post=spread_globs,
    does={
        "UpdateBucketWebhook": stay,
        "TestBucketWebhook": show_answer,
        "RedeliverWebhook": stay,
        "DeleteBucketWebhook": to(WEBHOOKS, name="BucketName"),
    },
)
async def show_one(visit: Visit) -> Shown:
    """A webhook: what it is told, what it answered; deliveries of one state or all, newest first."""
    name = visit.query.get("name", "")
    bucket = (await visit.run("DescribeBucket", BucketName=name)).bucket
    webhook = await _found(visit, name)
    state = visit.query.get("state", "")
    only = {"State": state} if state in {one.value for one in DeliveryState} else {}
    before = visit.number("before")
    found = await visit.run(
        "ListWebhookDeliveries",
        only,
        BucketName=name,
        WebhookId=webhook.webhook_id,
        Limit=str(ROWS),
        Before=str(before),
    )
    return Shown(
        "webhook.html",
        {
            "bucket": bucket,
            "tab": "webhooks",
            "webhook": webhook,
            "deliveries": found.delivery_set,
            "state": only.get("State", ""),
            "states": [one.value for one in DeliveryState],
            "before": before,
            "rows": ROWS,
            "tried": visit.answer,
            "kinds": KINDS,
            "wanted": wanted(visit.form, webhook),
            "form": visit.form,
        },
    )
