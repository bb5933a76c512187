"""Events on their way to webhooks: signed, sent, tried again after growing pauses, given up after a day.

One webhook sends one event at a time, so a receiver gets them in their order as long as it takes them, and a slow one
holds up nobody else: accounts and hosts have a few places each of those there are. Who sends for a webhook holds it by
its row for a moment, so that several processes send once, and another one goes on after a kill.
"""

import asyncio
import contextlib
import hashlib
import hmac
import json
import random
import time
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

import httpcore
import structlog

from entrepot import failpoint
from entrepot.errors import HubError, Kind
from entrepot.flows.outbound import CallFailed, open_pool, post
from entrepot.model import events as kinds
from entrepot.ops import events
from entrepot.ops.context import Hub
from entrepot.ops.dispatch import let_pushes_go_first
from entrepot.ops.webhooks import Tried, label
from entrepot.store.db import Rows
from entrepot.store.sql import events as events_sql
from entrepot.store.sql import webhooks as sql
from entrepot.store.sql.events import Event
from entrepot.store.sql.webhooks import Delivery, Due, Webhook

PERIOD = 1.0
SECONDS = 10.0
"""How long a receiver may take for an event."""
HOLD = 20
"""Seconds for which a process holds a webhook: longer than a try takes."""
PAUSES = (10, 30, 60, 300, 900, 1800, 3600, 7200, 14_400, 28_800)
"""Seconds before the second try, the third and so on, each a fifth longer or shorter; then it is given up."""
SPAN = 86_400
"""Seconds after which what a failing receiver did not take is given up, tried or not."""
LONGEST_REST = 300
"""Most seconds that a webhook rests after failures in a row, whatever else waits for it."""
AWAY = 3
"""Failures in a row after which it is the receiver that was away, and not one event that it cannot take."""
AT_ONCE, OF_ACCOUNT, OF_HOST = 16, 4, 4
"""Most webhooks that are served at once: in all, of an account, at one host."""
IN_A_ROW = 20
"""Deliveries of a webhook until others get their turn."""
EXCERPT = 500
"""Bytes of an answer that are kept."""
SIGNATURE = "X-Entrepot-Signature"
log = structlog.get_logger("webhooks")


def sign(secret: str, at: int, body: bytes) -> str:
    """The signature header: HMAC-SHA256 of the time, a full stop and the body."""
    made = hmac.digest(secret.encode(), b"%d." % at + body, hashlib.sha256)
    return f"t={at},v1={made.hex()}"


class WebhookSender:
    """The sender of a hub (ops.webhooks.Sender). ``run`` is its chore."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._woken = asyncio.Event()
        self._served: dict[str, asyncio.Task[None]] = {}
        self._accounts: Counter[int] = Counter()
        self._hosts: Counter[str] = Counter()
        self._testing: Counter[int] = Counter()

    def wake(self) -> None:
        """Look for what is due."""
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled; what is being sent then is sent again at the next start."""
        try:
            while True:
                self._woken.clear()
                try:
                    await self._step()
                except HubError as fault:  # a busy database passes
                    log.warning("webhooks wait", reason=fault.message)
                except Exception:
                    log.exception("webhooks wait; they are tried again")
                # Not wait_for: that may lose a cancellation that comes with what it waits for.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(PERIOD):
                        await self._woken.wait()
        finally:
            for task in self._served.values():
                task.cancel()
            await asyncio.gather(*self._served.values(), return_exceptions=True)

    async def _step(self) -> None:
        now = int(self._hub.clock())
        for due in await self._hub.db.read(sql.due, now, 10 * AT_ONCE):
            hook, host = due.webhook, _host(due.webhook.url)
            if len(self._served) >= AT_ONCE:
                return
            if hook.id in self._served or self._accounts[due.account_id] >= OF_ACCOUNT or self._hosts[host] >= OF_HOST:
                continue
            if await self._hub.db.note(sql.hold, hook, now + HOLD):
                failpoint.at("webhook.held")
                self._accounts[due.account_id] += 1
                self._hosts[host] += 1
                self._served[hook.id] = asyncio.create_task(self._serve(due, host))

    async def send_due(self) -> None:
        """What is due now, to its end: a step of ``run`` by itself."""
        await self._step()
        while self._served:
            await asyncio.gather(*self._served.values())

    async def _serve(self, due: Due, host: str) -> None:
        try:
            await self._send_some(due.webhook)
        except HubError as fault:
            log.warning("a webhook waits", webhook=due.webhook.id, reason=fault.message)
        except Exception:
            log.exception("a webhook waits", webhook=due.webhook.id)
        finally:
            del self._served[due.webhook.id]
            self._accounts[due.account_id] -= 1
            self._hosts[host] -= 1
            self.wake()

    async def _send_some(self, hook: Webhook) -> None:
        """Send what is due, one after the other, until one fails, nothing is left or others should get their turn."""
        hub = self._hub
        async with open_pool(hub.settings.outbound_networks) as pool:
            for turn in range(1, IN_A_ROW + 1):
                found = await hub.db.read(_next, hook.id, int(hub.clock()))
                if found is None:
                    await hub.db.note(sql.go_on, hook.id, failures=hook.failures, not_before=0)
                    return
                delivery, event = found
                await let_pushes_go_first(hub)
                failpoint.at("webhook.found")
                tried = await self._post(pool, hook, events.cloud_event(event))
                failpoint.at("webhook.sent")
                is_last = turn == IN_A_ROW or not tried.is_taken
                await hub.db.note(self._settle, hook, delivery, tried, is_last)
                failpoint.at("webhook.settled")
                if not tried.is_taken:
                    return
                hook = hook._replace(failures=0)

    def _settle(self, rows: Rows, hook: Webhook, delivery: Delivery, tried: Tried, is_last: bool) -> None:
        """Write down how a try ended. A receiver that fails rests, and what it did not take for a day is given up."""
        now = int(self._hub.clock())
        tries = delivery.tries + 1
        done = delivery._replace(tries=tries, status=tried.status, took=tried.took, answer=tried.answer, tried_at=now)
        if tried.is_taken:
            sql.settle(rows, done._replace(state="Delivered", due_at=0))
            if hook.failures >= AWAY:
                sql.revive(rows, hook.id, now)
            if is_last:
                sql.go_on(rows, hook.id, failures=0, not_before=now)
            else:
                sql.keep(rows, hook.id, now + HOLD)
            return
        is_dead = tries > len(PAUSES) or delivery.filed_at < now - SPAN
        pause = 0 if is_dead else _about(PAUSES[tries - 1])
        sql.settle(rows, done._replace(state="Dead" if is_dead else "Waiting", due_at=0 if is_dead else now + pause))
        sql.bury(rows, hook.id, now - SPAN, "the receiver failed for a day")
        rest = min(2 ** min(hook.failures, 10), LONGEST_REST)
        sql.go_on(rows, hook.id, failures=hook.failures + 1, not_before=now + rest)

    async def test(self, webhook: Webhook, bucket: str) -> Tried:
        """Send an event of kind ``webhook.test`` now, once. Raises THROTTLED."""
        if self._testing[webhook.bucket_id] >= 2 or self._testing.total() >= AT_ONCE:
            raise HubError(Kind.THROTTLED, "other tests are being sent; wait for their answers")
        now = int(self._hub.clock())
        made = Event(0, webhook.bucket_id, 0, kinds.TEST, 0, "", bucket, "", "", "", "{}", "", 0, now)
        self._testing[webhook.bucket_id] += 1
        try:
            async with open_pool(self._hub.settings.outbound_networks) as pool:
                told = {**events.cloud_event(made), "id": f"test/{self._hub.new_id()}"}
                return await self._post(pool, webhook, told)
        finally:
            self._testing[webhook.bucket_id] -= 1

    async def _post(self, pool: httpcore.AsyncConnectionPool, hook: Webhook, told: dict[str, Any]) -> Tried:
        body = json.dumps(told).encode()
        secret = self._hub.vault.open(hook.secret, label(hook.id))
        headers = {"Content-Type": events.CONTENT_TYPE, SIGNATURE: sign(secret, int(self._hub.clock()), body)}
        began = time.monotonic()
        try:
            async with asyncio.timeout(SECONDS):
                answer = await post(pool, hook.url, headers, body, most=EXCERPT)
            status, text = answer.status, answer.body.decode("utf-8", "replace")
            if 300 <= status < 400:
                text = f"a redirect, which is not followed; give its address as Url. {text}"
        except TimeoutError:
            status, text = 0, f"no answer within {SECONDS:.0f} seconds"
        except CallFailed as fault:
            status, text = 0, str(fault)
        # A NUL is no text to PostgreSQL.
        return Tried(status, int((time.monotonic() - began) * 1000), text[:EXCERPT].replace("\0", "\ufffd"))


def _next(rows: Rows, webhook_id: str, now: int) -> tuple[Delivery, Event] | None:
    delivery = sql.next_delivery(rows, webhook_id, now)
    event = events_sql.find(rows, delivery.event_id) if delivery else None
    return (delivery, event) if delivery and event else None


def _host(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}"


def _about(seconds: int) -> int:
    """A fifth longer or shorter, so that what failed together does not come back together."""
    return max(1, round(seconds * random.uniform(0.8, 1.2)))  # noqa: S311 - nobody gains by guessing it
