"""Upload sessions: what a session id says, and where a session is.

Most uploads end with the request after the one that began them. So a new session is only a signed id: it says for which
image, by whom, and since when. A row is made when bytes are acknowledged that another request may go on with.
"""

import asyncio
import hmac
import re
from typing import NamedTuple

from entrepot import failpoint
from entrepot.errors import HubError, Kind
from entrepot.model import digest as digests
from entrepot.ops.context import Ctx
from entrepot.store.db import Rows, single
from entrepot.store.sql import blobs as sql
from entrepot.store.sql import buckets as buckets_sql

ENDED = -1
"""``received`` of the row that a session leaves when it ends: its id alone would be good for another start."""
NEW_SECONDS = 3600
"""How long a new id is good for its first bytes, and how long ended ones are therefore remembered."""
_LOOKS, _LOOK_SECONDS = 100, 0.05
"""How long a finish that does not get the bytes waits for the row of another one that took them."""
_NEW = re.compile(r"[0-9a-f-]{36}\.(?P<algorithm>sha256|sha512)\.(?P<created>[0-9a-f]{1,12})\.(?P<mac>[0-9a-f]{32})")


class Place(NamedTuple):
    """Where an upload goes: an image of a bucket; ``image_id`` None for one that was never pushed to."""

    bucket_id: int
    image: str
    image_id: int | None


class Session(NamedTuple):
    """An upload; ``has_row`` False: nothing came yet. ``digest_so_far`` is of the ``received`` bytes.

    ``held``: what the store must know of them (store.blobs).
    """

    id: str
    place: Place
    algorithm: str
    received: int
    digest_so_far: str
    has_row: bool
    held: str = ""


def begin(ctx: Ctx, place: Place, algorithm: str) -> str:
    """The id of a new session. Raises DIGEST_INVALID for an algorithm that is not spoken here."""
    digests.hasher(algorithm)
    head = f"{ctx.hub.new_id()}.{algorithm}.{ctx.now:x}"
    failpoint.at("session.begun")
    return f"{head}.{_mac(ctx, place, head)}"


def _mac(ctx: Ctx, place: Place, head: str) -> str:
    text = f"{head}\n{place.bucket_id}\n{place.image}\n{ctx.who.person_id}"
    return hmac.digest(ctx.hub.vault.derive("upload-session"), text.encode(), "sha256").hex()[:32]


async def check_open(ctx: Ctx) -> None:
    """Raise THROTTLED for somebody who has as many unfinished uploads as the setting allows."""
    most = ctx.hub.settings.open_uploads
    if most and await ctx.hub.db.read(sql.open_uploads, ctx.who.person_id) >= most:
        raise HubError(Kind.THROTTLED, f"{most} uploads of yours are unfinished; finish or cancel some")


async def find(ctx: Ctx, place: Place, session: str) -> Session:
    """A session of this image and this person; raises UPLOAD_UNKNOWN."""
    return await ctx.hub.db.read(look, ctx, place, session)


@single
def look(rows: Rows, ctx: Ctx, place: Place, session: str) -> Session:
    """A session as the rows say now; raises UPLOAD_UNKNOWN."""
    row = sql.find_upload(rows, session) if len(session) <= 128 else None
    match = _NEW.fullmatch(session)
    is_signed = match is not None and hmac.compare_digest(match["mac"], _mac(ctx, place, session.rpartition(".")[0]))
    if row is not None:
        # The image may have been made by the request that made the row: then only the signature tells that it is ours.
        is_ours = row.person_id == ctx.who.person_id and (is_signed or row.image_id == place.image_id)
        if not is_ours or row.received == ENDED:
            raise gone(session)
        place = place._replace(image_id=row.image_id)
        return Session(session, place, row.algorithm, row.received, row.digest_so_far, has_row=True, held=row.held)
    if match is None or not is_signed or abs(ctx.now - int(match["created"], 16)) >= NEW_SECONDS:
        raise gone(session)
    nothing = f"{match['algorithm']}:{digests.hasher(match['algorithm']).hexdigest()}"
    return Session(session, place, match["algorithm"], 0, nothing, has_row=False)


def add_row(rows: Rows, ctx: Ctx, session: Session, received: int, so_far: str) -> Place:
    """Keep what a session has received, or that it has ENDED; its image is made when missing. Raises UPLOAD_UNKNOWN."""
    place = session.place
    image_id = buckets_sql.image_for_push(rows, place.bucket_id, place.image, ctx.now)
    made = sql.add_upload(
        rows,
        session=session.id,
        image_id=image_id,
        person_id=ctx.who.person_id,
        algorithm=session.algorithm,
        received=received,
        digest=so_far,
        now=ctx.now,
        held=session.held if received != ENDED else "",
    )
    if not made:
        raise gone(session.id)
    return place._replace(image_id=image_id)


def end(rows: Rows, ctx: Ctx, session: Session, at: int | None = None) -> bool:
    """Remember that a session has ended; False when it had ended before, or has not received ``at`` bytes (any more).

    Whoever gets True is the only one that does: what becomes of the bytes is theirs to say.
    """
    if sql.end_upload(rows, session.id, ctx.now, at):
        return True
    if session.has_row:
        return False
    try:
        add_row(rows, ctx, session, ENDED, "")
    except HubError as fault:
        if fault.kind is not Kind.UPLOAD_UNKNOWN:
            raise
        return False
    return True


async def cancel(ctx: Ctx, session: Session, at: int | None = None) -> bool:
    """End a session and forget its bytes; False when it had ended already: then they are somebody's.

    ``at``: only if it has received that many bytes and no more.
    """
    ctx.hub.running.pop(session.id, None)
    ended: bool = await ctx.hub.db.note(end, ctx, session, at)
    failpoint.at("cancel.ended")
    if ended:
        await ctx.hub.blobs.drop_upload(session.id, session.held)
    failpoint.at("cancel.dropped")
    return ended


async def ends_soon(ctx: Ctx, session: Session) -> bool:
    """Whether a session whose bytes are gone or held ends in a moment: another finish has them, its row comes next."""
    for _ in range(_LOOKS):
        row = await ctx.hub.db.read(sql.find_upload, session.id)
        if row is None or row.received == ENDED:
            return True
        await asyncio.sleep(_LOOK_SECONDS)
    return False


def gone(session: str) -> HubError:
    """The refusal of a session that is not there (any more)."""
    return HubError(Kind.UPLOAD_UNKNOWN, session[:64])
