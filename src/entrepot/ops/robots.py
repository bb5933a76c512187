"""Robots: credentials of one bucket, for machines. An administrator makes and ends them; they log in at the registry.

A secret is 192 random bits, so nobody guesses it, and the slow hash that people's passwords need would protect nothing:
it is kept as a keyed SHA-256 and compared in microseconds, however many machines log in at once.

A robot that is changed, disabled or deleted is out at once, tokens included: its bucket's row lists who is active, and
is read by every request anyway.
"""

import hmac
import secrets
from collections.abc import Iterable

from entrepot.errors import HubError, Kind
from entrepot.model import names, networks
from entrepot.model.names import RobotName
from entrepot.ops import permits
from entrepot.ops.buckets import own
from entrepot.ops.context import Ctx, Hub, Robot, Who
from entrepot.store.db import Rows
from entrepot.store.sql import robots as sql
from entrepot.store.sql.buckets import Bucket
from entrepot.store.sql.robots import Account, RobotRow

RIGHTS = ("pull", "push", "delete")
ROBOTS = 100
"""Most robots of one bucket."""


async def create(ctx: Ctx, bucket: str, name: str, rights: Iterable[str], expires_at: int) -> str:
    """A new robot; its secret, which is not kept. ``expires_at`` in Unix seconds, 0 for never.

    Raises DENIED (also for a right that the caller has not got), BUCKET_UNKNOWN, BAD_PARAM, EXISTS, QUOTA_EXCEEDED.
    """
    _need_admin(ctx)
    names.robot(name)
    wanted = _checked(rights)
    _check_future(ctx, expires_at)
    secret = secrets.token_hex(24)

    def add(rows: Rows) -> None:
        home = own(ctx, rows, bucket)
        _check_held(ctx, rows, home, wanted)
        if len(sql.of_bucket(rows, home.id)) >= ROBOTS:
            raise HubError(Kind.QUOTA_EXCEEDED, f"a bucket has at most {ROBOTS} robots; delete one that is not needed")
        made = sql.add(
            rows,
            bucket_id=home.id,
            name=name,
            rights=" ".join(wanted),
            secret_hash=_hash(ctx.hub, home.id, name, secret),
            expires_at=expires_at,
            now=ctx.now,
        )
        if not made:
            raise HubError(Kind.EXISTS, f"a robot {name} of this bucket")

    await ctx.hub.db.write(add)
    return secret


async def list_all(ctx: Ctx, bucket: str) -> list[RobotRow]:
    """The robots of a bucket by name. Hashes included: tell fields, not rows. Raises DENIED, BUCKET_UNKNOWN."""
    _need_admin(ctx)
    return await ctx.hub.db.read(lambda rows: sql.of_bucket(rows, own(ctx, rows, bucket).id))


def status(robot: RobotRow, now: int) -> str:
    """Active, Inactive or Expired."""
    if not robot.is_active:
        return "Inactive"
    return "Expired" if robot.expires_at and robot.expires_at <= now else "Active"


async def update(
    ctx: Ctx,
    bucket: str,
    name: str,
    *,
    rights: Iterable[str] | None = None,
    active: bool | None = None,
    expires_at: int | None = None,
) -> None:
    """Change what is not None; where that changes something, the robot's tokens end and it logs in anew.

    Raises as ``create`` does, and ROBOT_UNKNOWN.
    """
    _need_admin(ctx)
    given = None if rights is None else _checked(rights)
    if expires_at is not None:
        _check_future(ctx, expires_at)

    def change(rows: Rows) -> None:
        home = own(ctx, rows, bucket)
        robot = _found(rows, home, name)
        wanted = robot.rights.split() if given is None else given
        stays = bool(robot.is_active) if active is None else active
        if stays:  # who may do less than the robot may still disable it
            _check_held(ctx, rows, home, wanted)
        ends = robot.expires_at if expires_at is None else expires_at
        if (wanted, int(stays), ends) != (robot.rights.split(), robot.is_active, robot.expires_at):
            sql.change(rows, robot, rights=" ".join(wanted), is_active=stays, expires_at=ends)

    await ctx.hub.db.write(change)


async def delete(ctx: Ctx, bucket: str, name: str) -> None:
    """Forget a robot; what it pushed stays. Raises DENIED, BUCKET_UNKNOWN, ROBOT_UNKNOWN."""
    _need_admin(ctx)

    def remove(rows: Rows) -> None:
        sql.delete(rows, _found(rows, own(ctx, rows, bucket), name))

    await ctx.hub.db.write(remove)


async def login(hub: Hub, robot: RobotName, secret: str, address: str) -> Who | None:
    """The robot behind a login; None where the name or the secret is wrong.

    To those who know the secret: raises UNAUTHORIZED with the reason when it is disabled or has expired, or its account
    is disabled, and IP_REJECTED where the account's networks do not hold the address.
    """
    found = await hub.db.read(sql.by_login, *robot)
    # A robot that is not there costs the same compare as one with another secret.
    known, home = (found[0].secret_hash, found[0].bucket_id) if found else ("-" * 64, 0)
    is_right = hmac.compare_digest(known, _hash(hub, home, robot.name, secret))
    if found is None or not is_right:
        return None
    row, account = found
    _check_open(hub, robot, row, account)
    if account.login_networks and not networks.contains(account.login_networks, address):
        raise HubError(Kind.IP_REJECTED, f"{address} is not in the account's networks")
    return _who(robot, row, account)


async def named(hub: Hub, robot: RobotName) -> Who | None:
    """The robot of a name, whatever its secret; None for none."""
    found = await hub.db.read(sql.by_login, *robot)
    return _who(robot, *found) if found else None


async def check_listed(hub: Hub, who: Who) -> None:
    """For requests that read no bucket's row: raise UNAUTHORIZED for a robot that has ended or changed meanwhile."""
    if who.robot is not None and not who.robot.is_listed(await hub.db.read(sql.listed, who.robot.bucket_id)):
        raise ended(who)


def ended(who: Who) -> HubError:
    """The refusal of a token whose robot was changed, disabled or deleted after it was issued."""
    return HubError(Kind.UNAUTHORIZED, f"{who.email} was changed, disabled or deleted; log in again")


def _who(robot: RobotName, row: RobotRow, account: Account) -> Who:
    return Who(
        -row.id,
        account.id,
        str(robot),
        rights=frozenset(row.rights.split()),
        robot=Robot(row.id, row.generation, row.bucket_id, row.expires_at),
    )


def _check_open(hub: Hub, robot: RobotName, row: RobotRow, account: Account) -> None:
    closed = {"Inactive": "is disabled", "Expired": "has expired"}.get(status(row, int(hub.clock())))
    if closed is None and not account.is_active:
        closed = "belongs to a disabled account"
    if closed is not None:
        raise HubError(Kind.UNAUTHORIZED, f"{robot} {closed}; ask whoever administers the bucket")


def _hash(hub: Hub, bucket_id: int, name: str, secret: str) -> str:
    # Number and name hold no line break, so no two robots share an input; a hash moved to another row opens nothing.
    text = f"{bucket_id}\n{name}\n{secret}"
    return hmac.digest(hub.vault.derive("robot"), text.encode(), "sha256").hex()


def _checked(rights: Iterable[str]) -> list[str]:
    wanted = set(rights)
    if not wanted or wanted - set(RIGHTS):
        raise HubError(Kind.BAD_PARAM, f"Permission: one or more of {', '.join(RIGHTS)}")
    return [one for one in RIGHTS if one in wanted]


def _check_future(ctx: Ctx, expires_at: int) -> None:
    if expires_at and expires_at <= ctx.now:
        raise HubError(Kind.BAD_PARAM, "ExpireTime: Unix seconds to come, or 0 for never")


def _check_held(ctx: Ctx, rows: Rows, bucket: Bucket, wanted: list[str]) -> None:
    """Nobody gets through a robot what policies keep from them."""
    over = [right for right in wanted if not permits.on_whole_bucket(rows, ctx.who, right, bucket)]
    if over:
        raise HubError(Kind.DENIED, f"a robot gets only what you may do in all of its bucket; not {', '.join(over)}")


def _found(rows: Rows, bucket: Bucket, name: str) -> RobotRow:
    robot = sql.find(rows, bucket.id, name)
    if robot is None:
        raise HubError(Kind.ROBOT_UNKNOWN, name[: names.ROBOT_LENGTH])
    return robot


def _need_admin(ctx: Ctx) -> None:
    if "admin" not in ctx.who.rights:
        raise HubError(Kind.DENIED, "the right 'admin' is needed for robots; ask the account's main user")
