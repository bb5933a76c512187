"""Webhooks of buckets and what is on its way to them, as rows. When something is due stands in the webhook's own row,
so that looking for work costs what there is to do, not what there is.
"""

from typing import NamedTuple

from entrepot.model import events as kinds_of
from entrepot.store.db import Rows

COUNTED = 1000
"""How far deliveries are counted for a list."""


class Webhook(NamedTuple):
    """A row of ``webhook``; ``secret`` is sealed."""

    id: str
    bucket_id: int
    url: str
    secret: str
    kinds: str
    tags: str
    is_enabled: int
    failures: int
    due_at: int
    created_at: int


class Delivery(NamedTuple):
    """A row of ``webhook_delivery``."""

    id: int
    webhook_id: str
    event_id: int
    state: str
    tries: int
    due_at: int
    status: int
    took: int
    answer: str
    filed_at: int
    tried_at: int


_WEBHOOK = f"SELECT {', '.join(Webhook._fields)} FROM webhook"
_DELIVERY = f"SELECT {', '.join(f'd.{name}' for name in Delivery._fields)} FROM webhook_delivery d"
_AGAIN = (
    "UPDATE webhook SET due_at = COALESCE((SELECT MIN(d.due_at) FROM webhook_delivery d"
    " WHERE d.webhook_id = webhook.id AND d.state = 'Waiting'), 0) WHERE id = :id"
)


def add(rows: Rows, webhook: Webhook) -> None:
    """A new webhook."""
    rows.run(
        f"INSERT INTO webhook ({', '.join(Webhook._fields)})"
        f" VALUES ({', '.join(f':{name}' for name in Webhook._fields)})",
        **webhook._asdict(),
    )
    _listen(rows, webhook.bucket_id)


def find(rows: Rows, bucket_id: int, webhook_id: str) -> Webhook | None:
    """A webhook of a bucket."""
    row = rows.one(f"{_WEBHOOK} WHERE id = :id AND bucket_id = :bucket", id=webhook_id, bucket=bucket_id)
    return Webhook(*row) if row else None


def of_bucket(rows: Rows, bucket_id: int) -> list[Webhook]:
    """Those of a bucket, oldest first."""
    found = rows.all(f"{_WEBHOOK} WHERE bucket_id = :bucket ORDER BY created_at, id", bucket=bucket_id)
    return [Webhook(*row) for row in found]


def change(rows: Rows, webhook: Webhook) -> None:
    """Store what may be changed of it; one that is switched on goes on with what waits."""
    rows.run(
        "UPDATE webhook SET url = :url, secret = :secret, kinds = :kinds, tags = :tags, is_enabled = :enabled,"
        " failures = 0 WHERE id = :id",
        url=webhook.url,
        secret=webhook.secret,
        kinds=webhook.kinds,
        tags=webhook.tags,
        enabled=webhook.is_enabled,
        id=webhook.id,
    )
    rows.run(_AGAIN, id=webhook.id)
    _listen(rows, webhook.bucket_id)


def delete(rows: Rows, webhook: Webhook) -> None:
    """Delete it with its deliveries."""
    rows.run("DELETE FROM webhook_delivery WHERE webhook_id = :id", id=webhook.id)
    rows.run("DELETE FROM webhook WHERE id = :id", id=webhook.id)
    _listen(rows, webhook.bucket_id)


def _listen(rows: Rows, bucket_id: int) -> None:
    """Keep how closely the bucket's webhooks listen."""
    found = rows.all("SELECT kinds FROM webhook WHERE bucket_id = :bucket AND is_enabled = 1", bucket=bucket_id)
    level = max((kinds_of.listens(row[0]) for row in found), default=kinds_of.NOBODY)
    rows.run("UPDATE bucket SET listens = :level WHERE id = :bucket", level=level, bucket=bucket_id)


def file(rows: Rows, webhook_id: str, event_id: int, now: int) -> None:
    """An event is to be sent; a second time nothing happens."""
    rows.run(
        "INSERT INTO webhook_delivery (webhook_id, event_id, state, tries, due_at, status, took, answer, filed_at,"
        " tried_at) VALUES (:webhook, :event, 'Waiting', 0, :now, 0, 0, '', :now, 0)"
        " ON CONFLICT (webhook_id, event_id) DO NOTHING",
        webhook=webhook_id,
        event=event_id,
        now=now,
    )
    # One that waits because it failed keeps waiting: what is new does not make it answer.
    rows.run("UPDATE webhook SET due_at = :now WHERE id = :id AND due_at = 0", now=now, id=webhook_id)


class Due(NamedTuple):
    """A webhook with something to send, and whose it is."""

    webhook: Webhook
    account_id: int


def due(rows: Rows, now: int, limit: int) -> list[Due]:
    """Enabled webhooks with something due, the longest waiting first."""
    found = rows.all(
        f"SELECT {', '.join(f'w.{name}' for name in Webhook._fields)}, b.account_id FROM webhook w"
        " JOIN bucket b ON b.id = w.bucket_id"
        " WHERE w.due_at > 0 AND w.due_at <= :now AND w.is_enabled = 1 ORDER BY w.due_at LIMIT :limit",
        now=now,
        limit=limit,
    )
    return [Due(Webhook(*row[:-1]), row[-1]) for row in found]


def next_delivery(rows: Rows, webhook_id: str, now: int) -> Delivery | None:
    """What is to be sent first of what is due: the oldest event."""
    row = rows.one(
        f"{_DELIVERY} WHERE d.webhook_id = :id AND d.state = 'Waiting' AND d.due_at <= :now"
        " ORDER BY d.event_id LIMIT 1",
        id=webhook_id,
        now=now,
    )
    return Delivery(*row) if row else None


def settle(rows: Rows, delivery: Delivery) -> None:
    """Store how a try ended, unless the delivery is gone or was settled by somebody else meanwhile."""
    rows.run(
        "UPDATE webhook_delivery SET state = :state, tries = :tries, due_at = :due_at, status = :status, took = :took,"
        " answer = :answer, tried_at = :tried_at WHERE id = :id AND state = 'Waiting'",
        **{
            name: value
            for name, value in delivery._asdict().items()
            if name not in {"webhook_id", "event_id", "filed_at"}
        },
    )


def go_on(rows: Rows, webhook_id: str, *, failures: int, not_before: int) -> None:
    """After a try: how often it failed in a row, and when the next delivery is due, ``not_before`` a time."""
    rows.run("UPDATE webhook SET failures = :failures WHERE id = :id", failures=failures, id=webhook_id)
    rows.run(_AGAIN, id=webhook_id)
    rows.run(
        "UPDATE webhook SET due_at = :time WHERE id = :id AND due_at > 0 AND due_at < :time",
        time=not_before,
        id=webhook_id,
    )


def revive(rows: Rows, webhook_id: str, now: int) -> None:
    """The receiver takes again what it did not for a while: all that waits is due."""
    rows.run(
        "UPDATE webhook_delivery SET due_at = :now WHERE webhook_id = :id AND state = 'Waiting' AND due_at > :now",
        now=now,
        id=webhook_id,
    )


def bury(rows: Rows, webhook_id: str, filed_before: int, answer: str) -> int:
    """Give up what waits since before a time; how many."""
    return rows.run(
        "UPDATE webhook_delivery SET state = 'Dead', due_at = 0,"
        " answer = CASE WHEN tries = 0 THEN :answer ELSE answer END"
        " WHERE webhook_id = :id AND state = 'Waiting' AND filed_at < :before",
        id=webhook_id,
        before=filed_before,
        answer=answer,
    )


class Sent(NamedTuple):
    """A delivery with what tells its event apart."""

    delivery: Delivery
    number: int
    kind: str
    image: str
    tag: str
    at: int


def page(rows: Rows, webhook_id: str, state: str | None, before: int, limit: int) -> list[Sent]:
    """Deliveries of a webhook, newest first, before an id."""
    only = "" if state is None else " AND d.state = :state"
    found = rows.all(
        f"SELECT {', '.join(f'd.{name}' for name in Delivery._fields)}, e.number, e.kind, e.image, e.tag, e.at"
        f" FROM webhook_delivery d JOIN event e ON e.id = d.event_id WHERE d.webhook_id = :id{only}"
        " AND d.id < :before ORDER BY d.id DESC LIMIT :limit",
        id=webhook_id,
        before=before,
        limit=limit,
        **({} if state is None else {"state": state}),
    )
    wide = len(Delivery._fields)
    return [Sent(Delivery(*row[:wide]), *row[wide:]) for row in found]


def count(rows: Rows, webhook_id: str, state: str) -> int:
    """How many deliveries are in a state; at most COUNTED."""
    row = rows.one(
        "SELECT COUNT(*) FROM (SELECT 1 FROM webhook_delivery WHERE webhook_id = :id AND state = :state"
        " LIMIT :limit) c",
        id=webhook_id,
        state=state,
        limit=COUNTED,
    )
    return int(row[0]) if row else 0


def again(rows: Rows, webhook_id: str, delivery_id: int | None, now: int) -> int:
    """Send one delivery anew, or (None) those that are dead, at most COUNTED; how many."""
    which = (
        "id = :delivery AND state <> 'Waiting'"
        if delivery_id is not None
        else "id IN (SELECT d.id FROM webhook_delivery d WHERE d.webhook_id = :id AND d.state = 'Dead'"
        " ORDER BY d.id LIMIT :limit)"
    )
    given = {"limit": COUNTED} if delivery_id is None else {"delivery": delivery_id}
    changed = rows.run(
        "UPDATE webhook_delivery SET state = 'Waiting', tries = 0, due_at = :now, filed_at = :now"
        f" WHERE webhook_id = :id AND {which}",
        id=webhook_id,
        now=now,
        **given,
    )
    if changed:
        rows.run("UPDATE webhook SET due_at = :now, failures = 0 WHERE id = :id", now=now, id=webhook_id)
    return changed


def forget(rows: Rows, before: int, limit: int) -> int:
    """Delete at most ``limit`` deliveries that were filed before a time and are settled, or whose webhook is off."""
    return rows.run(
        "DELETE FROM webhook_delivery WHERE id IN (SELECT d.id FROM webhook_delivery d"
        " JOIN webhook w ON w.id = d.webhook_id"
        " WHERE d.filed_at < :before AND (d.state <> 'Waiting' OR w.is_enabled = 0) ORDER BY d.filed_at LIMIT :limit)",
        before=before,
        limit=limit,
    )


def hold(rows: Rows, webhook: Webhook, until: int) -> bool:
    """Take a webhook that was seen due, for a while; False when somebody else was first."""
    return (
        rows.run(
            "UPDATE webhook SET due_at = :until WHERE id = :id AND due_at = :seen",
            until=until,
            id=webhook.id,
            seen=webhook.due_at,
        )
        == 1
    )


def keep(rows: Rows, webhook_id: str, until: int) -> None:
    """Go on holding it."""
    rows.run("UPDATE webhook SET due_at = :until WHERE id = :id", until=until, id=webhook_id)
