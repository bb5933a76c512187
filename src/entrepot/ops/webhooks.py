"""Webhooks of buckets: make, change, delete, look at what is on its way, send again. Sending itself is in flows."""

import secrets
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from entrepot.errors import HubError, Kind
from entrepot.ops import events
from entrepot.ops.buckets import own
from entrepot.ops.context import Ctx
from entrepot.store.db import Rows
from entrepot.store.sql import webhooks as sql
from entrepot.store.sql.webhooks import Sent, Webhook

MOST = 20
"""Most webhooks of a bucket: each event is held against all of them."""


class Tried(NamedTuple):
    """How a try to send ended. ``status`` 0: no answer; ``took`` in milliseconds; ``answer``: its begin, or why not."""

    status: int
    took: int
    answer: str

    @property
    def is_taken(self) -> bool:
        """Whether the receiver has it."""
        return 200 <= self.status < 300


class Sender(Protocol):
    """What sends."""

    def wake(self) -> None:
        """Look for what is due."""
        ...

    async def test(self, webhook: Webhook, bucket: str) -> Tried:
        """Send an event of kind ``webhook.test`` now, once."""
        ...


def label(webhook_id: str) -> str:
    """What a sealed secret is bound to."""
    return f"webhook {webhook_id}"


async def create(
    ctx: Ctx, bucket: str, *, url: str, kinds: list[str], tags: list[str], secret: str, enabled: bool
) -> tuple[str, str]:
    """(id, secret) of a new webhook; ``secret`` "": one is made up.

    Raises DENIED, BUCKET_UNKNOWN, BAD_PARAM, QUOTA_EXCEEDED.
    """
    _need_admin(ctx)
    _check_url(url)
    wanted = events.selection(tags)
    secret = _checked(secret) if secret else secrets.token_hex(32)
    made = ctx.hub.new_id()
    sealed = ctx.hub.vault.seal(secret, label(made))

    def add(rows: Rows) -> None:
        home = own(ctx, rows, bucket)
        if len(sql.of_bucket(rows, home.id)) >= MOST:
            raise HubError(Kind.QUOTA_EXCEEDED, f"a bucket has at most {MOST} webhooks; delete one")
        row = Webhook(made, home.id, url, sealed, events.words(kinds), wanted, int(enabled), 0, 0, ctx.now)
        sql.add(rows, row)

    await ctx.hub.db.write(add)
    return made, secret


async def update(
    ctx: Ctx,
    bucket: str,
    webhook_id: str,
    *,
    url: str | None,
    kinds: list[str] | None,
    tags: list[str] | None,
    secret: str | None,
    enabled: bool | None,
) -> None:
    """Change what is not None. Raises as ``create`` does, and WEBHOOK_UNKNOWN."""
    _need_admin(ctx)
    if url is not None:
        _check_url(url)
    wanted = None if tags is None else events.selection(tags)
    sealed = ctx.hub.vault.seal(_checked(secret), label(webhook_id)) if secret else None

    def change(rows: Rows) -> None:
        found = _found(ctx, rows, bucket, webhook_id)
        sql.change(
            rows,
            found._replace(
                url=found.url if url is None else url,
                secret=sealed or found.secret,
                kinds=found.kinds if kinds is None else events.words(kinds),
                tags=found.tags if wanted is None else wanted,
                is_enabled=found.is_enabled if enabled is None else int(enabled),
            ),
        )

    await ctx.hub.db.write(change)
    ctx.hub.sender.wake()


async def delete(ctx: Ctx, bucket: str, webhook_id: str) -> None:
    """Delete it with its deliveries. Raises DENIED, BUCKET_UNKNOWN, WEBHOOK_UNKNOWN."""
    _need_admin(ctx)
    await ctx.hub.db.write(lambda rows: sql.delete(rows, _found(ctx, rows, bucket, webhook_id)))


class Listed(NamedTuple):
    """A webhook, and how many deliveries wait or were given up; at most ``sql.COUNTED`` are counted."""

    webhook: Webhook
    waiting: int
    dead: int


async def list_all(ctx: Ctx, bucket: str) -> list[Listed]:
    """The webhooks of a bucket. Sealed secrets included: tell fields, not rows. Raises DENIED, BUCKET_UNKNOWN."""
    _need_admin(ctx)

    def load(rows: Rows) -> list[Listed]:
        found = sql.of_bucket(rows, own(ctx, rows, bucket).id)
        return [Listed(one, sql.count(rows, one.id, "Waiting"), sql.count(rows, one.id, "Dead")) for one in found]

    return await ctx.hub.db.read(load)


async def deliveries(ctx: Ctx, bucket: str, webhook_id: str, state: str | None, before: int, limit: int) -> list[Sent]:
    """What was, is and will be sent, newest first, before an id. Raises DENIED, BUCKET_UNKNOWN, WEBHOOK_UNKNOWN."""
    _need_admin(ctx)

    def load(rows: Rows) -> list[Sent]:
        return sql.page(rows, _found(ctx, rows, bucket, webhook_id).id, state, before, limit)

    return await ctx.hub.db.read(load)


async def redeliver(ctx: Ctx, bucket: str, webhook_id: str, delivery_id: int | None) -> int:
    """Send one delivery again, or (None) those that are dead; how many.

    Raises DENIED, BUCKET_UNKNOWN, WEBHOOK_UNKNOWN (also when there is no such delivery, or it waits anyway).
    """
    _need_admin(ctx)

    def change(rows: Rows) -> int:
        found = _found(ctx, rows, bucket, webhook_id)
        count = sql.again(rows, found.id, delivery_id, ctx.now)
        if delivery_id is not None and not count:
            raise HubError(Kind.WEBHOOK_UNKNOWN, f"delivery {delivery_id}, or it waits to be sent anyway")
        return count

    count = await ctx.hub.db.write(change)
    ctx.hub.sender.wake()
    return count


async def test(ctx: Ctx, bucket: str, webhook_id: str) -> Tried:
    """Send a test now, once. Raises DENIED, BUCKET_UNKNOWN, WEBHOOK_UNKNOWN, THROTTLED."""
    _need_admin(ctx)
    found = await ctx.hub.db.read(lambda rows: _found(ctx, rows, bucket, webhook_id))
    tried: Tried = await ctx.hub.sender.test(found, bucket)
    return tried


def _found(ctx: Ctx, rows: Rows, bucket: str, webhook_id: str) -> Webhook:
    found = sql.find(rows, own(ctx, rows, bucket).id, webhook_id)
    if found is None:
        raise HubError(Kind.WEBHOOK_UNKNOWN, webhook_id[:64])
    return found


def _check_url(url: str) -> None:
    """What can be seen without asking anybody; addresses are looked at whenever something is sent."""
    try:
        parts = urlsplit(url)
        known = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        known = False
    if not known or not url.isascii() or not url.isprintable() or "@" in parts.netloc or " " in url:
        raise HubError(Kind.BAD_PARAM, "Url: such as https://example.com/hook, without a login in it")


def _checked(secret: str) -> str:
    if not 16 <= len(secret) <= 200 or not secret.isascii() or not secret.isprintable():
        raise HubError(Kind.BAD_PARAM, "Secret: 16 to 200 letters, digits and signs of ASCII")
    return secret


def _need_admin(ctx: Ctx) -> None:
    if "admin" not in ctx.who.rights:
        raise HubError(Kind.DENIED, "the right 'admin' is needed for webhooks; ask the account's main user")
