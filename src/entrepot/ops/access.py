"""What a caller may do in a repository, and the registry tokens that say so.

A token names what was asked and what of it was granted, and the bucket's id: a bucket that is deleted and made
anew by somebody else does not open to old tokens. Sources: distribution's auth specs (token, jwt, scope).
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from entrepot.errors import HubError, Kind
from entrepot.model import names
from entrepot.ops import people, permits, robots
from entrepot.ops.context import NOBODY, Ctx, Hub, Robot, Who
from entrepot.store.db import Rows
from entrepot.store.sql import buckets as sql
from entrepot.store.sql import people as people_sql
from entrepot.store.sql.buckets import Place

SERVICE = "entrepot"
TOKEN_LENGTH = 16_384
REFRESH_SECONDS = 30 * 86_400
LEEWAY = 60
SCOPES = 16
"""Most repositories in one token."""
ACTIONS = ("pull", "push", "delete")
_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Scope:
    """One repository of a token: what was asked, what was granted, and which bucket the name meant.

    A pull that a bucket allows everybody is not in ``granted``: its row says each time whether it still does.
    """

    asked: frozenset[str]
    granted: frozenset[str]
    bucket_id: int


@dataclass(frozen=True, slots=True)
class Pass:
    """A caller at the registry door, and what it may do in the repositories it asked for.

    ``is_login``: logged in by itself (Basic), with scopes made for this request. ``wide``: the rights it has in its
    whole account (a robot: in its bucket), for lists and mounts that look beyond one repository.
    """

    who: Who = NOBODY
    scopes: Mapping[str, Scope] = field(default_factory=dict)
    catalog: bool = False
    expires: int = 0
    is_login: bool = False
    wide: frozenset[str] = frozenset()

    @property
    def home(self) -> tuple[int, int]:
        """(account, bucket) whose images it may all pull; 0 for none."""
        if "pull" not in self.wide:
            return 0, 0
        return (self.who.account_id, 0) if self.who.robot is None else (0, self.who.robot.bucket_id)


ANONYMOUS = Pass()


def allows(holder: Pass, repository: str, action: str, place: Place) -> bool:
    """Whether ``action`` is allowed in a bucket as the rows say it is now."""
    if action == "pull" and place.is_public:
        return True
    scope = holder.scopes.get(repository)
    if scope is None or action not in scope.granted or scope.bucket_id != place.id:
        return False
    return not _has_ended(holder, place)


def _has_ended(holder: Pass, place: Place) -> bool:
    """Whether the pass is of a robot of this bucket that was changed, disabled or deleted since."""
    robot = holder.who.robot
    return robot is not None and robot.bucket_id == place.id and not robot.is_listed(place.robots)


def require(ctx: Ctx, holder: Pass, repository: str, action: str, place: Place | None) -> None:
    """Raise what refuses an action in a bucket (None: there is no such bucket)."""
    if place is None or not allows(holder, repository, action, place):
        raise _refusal(holder, repository, action, place)
    if place.networks or not place.is_outside:
        permits.check_network(ctx, place, action)


async def may_mount_from(ctx: Ctx, holder: Pass, repository: str, place: Place) -> bool:
    """Whether a blob may be taken from a repository that is not the one of the request.

    Clients often ask a token for the target only, so what its holder may pull in the whole own account counts as well;
    who sent name and secret is asked anew.
    """
    try:
        permits.check_network(ctx, place, "pull")
    except HubError:
        return False
    if allows(holder, repository, "pull", place):
        return True
    if holder.is_login:
        return allows(await ctx.hub.db.read(log_in, holder.who, repository), repository, "pull", place)
    return holder.who.is_home(place.id, place.account_id) and "pull" in holder.wide


def _refusal(holder: Pass, repository: str, action: str, place: Place | None) -> HubError:
    """UNAUTHORIZED where another login or token could help.

    Else DENIED to those who may know the bucket, and the same NAME_UNKNOWN for a missing bucket and for somebody
    else's private one.
    """
    if place is not None and _has_ended(holder, place):
        return robots.ended(holder.who)
    scope = holder.scopes.get(repository)
    definite = not holder.who.is_anonymous and (holder.is_login or (scope is not None and action in scope.asked))
    if not definite:
        return HubError(Kind.UNAUTHORIZED, f"{action} on {repository}")
    knows = place is not None and (
        place.is_public or holder.who.is_home(place.id, place.account_id) or (scope is not None and bool(scope.granted))
    )
    if knows:
        return HubError(Kind.DENIED, f"the right {action!r} on {repository} is needed; ask the bucket's owner")
    return unknown_bucket(repository)


def log_in(rows: Rows, who: Who, repository: str) -> Pass:
    """The pass of somebody who sent a name and a secret with the request itself ("" outside a repository)."""
    asked = [("repository", repository, frozenset(ACTIONS))] if repository else []
    return Pass(who, scopes_of(_grant(rows, who, asked)), catalog=True, is_login=True, wide=_wide(who))


def _wide(who: Who) -> frozenset[str]:
    return frozenset(right for right in ACTIONS if not who.is_anonymous and permits.everywhere(who, right))


def unknown_bucket(repository: str) -> HubError:
    """NAME_UNKNOWN that says how a bucket is made."""
    bucket = repository.partition("/")[0]
    return HubError(
        Kind.NAME_UNKNOWN,
        f"bucket {bucket!r} does not exist or is not yours; create it first: `entrepot bucket create {bucket}`"
        f" on the server, or API Action=CreateDockerImageBucket&BucketName={bucket}",
    )


def parse_scopes(texts: list[str]) -> list[tuple[str, str, frozenset[str]]]:
    """(type, name, actions) of each scope; what is not a scope is left out, as token servers do."""
    found: list[tuple[str, str, frozenset[str]]] = []
    for text in " ".join(texts).split():
        kind, _, rest = text.partition(":")
        name, colon, actions = rest.rpartition(":")
        if colon and len(found) < SCOPES:
            found.append((kind.partition("(")[0], name, frozenset(actions.split(","))))
    return found


async def issue(ctx: Ctx, scopes: list[tuple[str, str, frozenset[str]]]) -> tuple[str, int]:
    """A token for the caller with what it may do of what it asked; the token and its life in seconds."""
    hub = ctx.hub
    access = await hub.db.read(_grant, ctx.who, scopes)
    life = hub.settings.token_seconds
    robot = ctx.who.robot
    if robot is not None and robot.expires_at:
        life = min(life, robot.expires_at - ctx.now)
    claims = {
        "iss": SERVICE,
        "aud": SERVICE,
        "sub": str(ctx.who.person_id),
        "iat": ctx.now,
        "nbf": ctx.now,
        "exp": ctx.now + life,
        "jti": hub.new_id(),
        "access": access,
        "acc": ctx.who.account_id,
        "email": ctx.who.email,
        "wide": sorted(_wide(ctx.who)),
        **({"robot": list(robot)} if robot is not None else {}),
    }
    return _sign(hub, "registry", claims), life


def _grant(rows: Rows, who: Who, scopes: list[tuple[str, str, frozenset[str]]]) -> list[dict[str, Any]]:
    access: list[dict[str, Any]] = []
    for kind, name, asked in scopes:
        if kind == "registry" and name == "catalog" and not who.is_anonymous:
            access.append({"type": "registry", "name": "catalog", "actions": ["*"]})
        if kind != "repository":
            continue
        try:
            repository = names.repository(name)
        except HubError:
            continue
        wanted = frozenset(ACTIONS) if "*" in asked else asked & frozenset(ACTIONS)
        bucket = sql.by_name(rows, repository.bucket)
        granted = [
            one
            for one in ACTIONS
            if one in wanted and bucket and permits.on_bucket(rows, who, one, bucket, repository.image)
        ]
        # What only its being public allows ends when it is private again, whatever a token says.
        is_open = bool(
            bucket
            and "pull" in granted
            and not permits.on_bucket(rows, who, "pull", bucket._replace(is_public=0), repository.image)
        )
        access.append(
            {
                "type": "repository",
                "name": name,
                "actions": granted,
                "open": is_open,
                "asked": sorted(wanted),
                # A token can be read by its holder: of a bucket that grants nothing it must not tell that it is there.
                "bucket": bucket.id if bucket and granted else 0,
            }
        )
    return access


def scopes_of(access: list[dict[str, Any]]) -> dict[str, Scope]:
    """The repositories of a token by name."""
    return {
        one["name"]: Scope(
            frozenset(one["asked"]), frozenset(one["actions"]) - ({"pull"} if one["open"] else set()), one["bucket"]
        )
        for one in access
        if one["type"] == "repository"
    }


def verify(hub: Hub, token: str) -> Pass:
    """The pass of a registry token; raises UNAUTHORIZED for a token that is not good (any more)."""
    remembered: Pass | None = hub.passes.get(token)
    # A life longer than any token has: the clock went back, and the token is from a time that has not come.
    if remembered is not None and 0 < remembered.expires - hub.clock() <= hub.settings.token_seconds + LEEWAY:
        return remembered
    claims = _read(hub, "registry", token)
    try:
        robot = Robot(*claims["robot"]) if "robot" in claims else None
        who = Who(int(claims["sub"]), claims["acc"], claims["email"], robot=robot)
        catalog = any(one["type"] == "registry" for one in claims["access"])
        found = Pass(who, scopes_of(claims["access"]), catalog, claims["exp"], wide=frozenset(claims["wide"]))
    except (KeyError, TypeError, ValueError) as fault:  # signed by another version of the hub
        raise _not_good() from fault
    if len(hub.passes) >= _REMEMBERED:
        hub.passes.pop(next(iter(hub.passes)))
    # A token says the same thing as long as it lives; the rows it is held against are read each time.
    hub.passes[token] = found
    return found


async def issue_refresh(ctx: Ctx, login: str) -> str:
    """A token that stands for a login until its password changes, its key is deleted or 30 days pass."""
    claims = {
        "iss": SERVICE,
        "aud": SERVICE,
        "sub": login,
        "iat": ctx.now,
        "exp": ctx.now + REFRESH_SECONDS,
        "bound": await _binding(ctx.hub, login),
    }
    return _sign(ctx.hub, "refresh", claims)


async def refresh(hub: Hub, token: str, address: str) -> tuple[Who, str]:
    """The person behind a refresh token, as their rights are now, and the login name.

    Raises UNAUTHORIZED, IP_REJECTED.
    """
    claims = _read(hub, "refresh", token)
    login = str(claims["sub"])
    if not hmac.compare_digest(str(claims.get("bound")), await _binding(hub, login)):
        raise HubError(Kind.UNAUTHORIZED, "the refresh token is no longer good; log in again")
    person = await hub.db.read(_person, login)
    if person is None or not person.is_active or ("@" in login and not person.may_log_in):
        raise HubError(Kind.UNAUTHORIZED, "the user is disabled")
    people.check_login_network(person, login, address)
    return await hub.db.read(people.who, person), login


def _person(rows: Rows, login: str) -> people_sql.Person | None:
    if "@" in login:
        return people_sql.by_email(rows, login)
    found = people_sql.by_key(rows, login)
    return found[0] if found else None


async def _binding(hub: Hub, login: str) -> str:
    """A fingerprint of what the login rests on, so that a refresh token dies with it."""
    person = await hub.db.read(_person, login)
    basis = f"{person.id}:{person.password_hash}:{person.registry_password_hash}" if person else "nobody"
    return hmac.digest(hub.vault.derive("refresh-binding"), basis.encode(), "sha256").hex()


def _not_good() -> HubError:
    return HubError(Kind.UNAUTHORIZED, "the token is not good or has expired; log in again")


def _sign(hub: Hub, purpose: str, claims: dict[str, Any]) -> str:
    key = OctKey.import_key(hub.vault.derive(f"token-{purpose}"))
    return jwt.encode({"alg": "HS256", "typ": "JWT", "kid": purpose}, claims, key, algorithms=["HS256"])


def _read(hub: Hub, purpose: str, token: str) -> dict[str, Any]:
    """Check everything that makes a token ours: length, form, key id, algorithm, signature, issuer, audience, times."""
    if len(token) > TOKEN_LENGTH or token.count(".") != 2:
        raise _not_good()
    key = OctKey.import_key(hub.vault.derive(f"token-{purpose}"))
    try:
        decoded = jwt.decode(token, key, algorithms=["HS256"])
        now = int(hub.clock())
        registry = jwt.JWTClaimsRegistry(
            now=lambda: now,
            leeway=LEEWAY,
            iss={"essential": True, "value": SERVICE},
            aud={"essential": True, "value": SERVICE},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        )
        registry.validate(decoded.claims)
    except (JoseError, ValueError, TypeError, RecursionError) as fault:
        raise _not_good() from fault
    if decoded.header.get("kid") != purpose or now >= int(decoded.claims["exp"]):
        raise _not_good()
    return decoded.claims
