"""Policies of an account and who has them. A change holds from the next call on."""

from entrepot.errors import HubError, Kind
from entrepot.model import names, policy
from entrepot.ops import members
from entrepot.ops.context import Ctx
from entrepot.store.db import Rows
from entrepot.store.sql import members as members_sql
from entrepot.store.sql import policies as sql
from entrepot.store.sql.policies import Entity, Policy, Role

SCOPES = ("ScopeRequired", "ScopeEmpty", "ScopeUnrestricted")
"""In one or more projects; in the whole account; either. UCloud's words."""
POLICIES = 200
"""Most policies of an account."""
ATTACHED = 20
"""Most policies of a user or role: each is read with every call."""


def urn_of(account_id: int, kind: str, name: str) -> str:
    """How a policy or role of an account is named everywhere."""
    return f"ucs:iam::{account_id}:{kind}/{name}"


async def create(ctx: Ctx, name: str, *, document: str, description: str, scope_type: str) -> None:
    """A new policy. Raises BAD_PARAM, EXISTS."""
    names.policy(name)
    policy.parse(document)
    if scope_type not in SCOPES:
        raise HubError(Kind.BAD_PARAM, "ScopeType")
    account_id = ctx.who.account_id
    made = Policy(name, urn_of(account_id, "policy", name), description, document, scope_type, ctx.now, ctx.now)

    def add(rows: Rows) -> None:
        if sql.page(rows, account_id, 0, 0)[0] >= POLICIES:
            raise HubError(Kind.QUOTA_EXCEEDED, f"at most {POLICIES} policies in an account")
        if not sql.add(rows, account_id, made):
            raise HubError(Kind.EXISTS, f"a policy {name}")

    await ctx.hub.db.write(add)


async def update(ctx: Ctx, urn: str, *, document: str, description: str | None) -> None:
    """Another text. Raises BAD_PARAM, POLICY_UNKNOWN."""
    policy.parse(document)

    def change(rows: Rows) -> None:
        known = _own(ctx, rows, urn)
        sql.update(
            rows,
            urn,
            document=document,
            description=known.description if description is None else description,
            now=ctx.now,
        )

    await ctx.hub.db.write(change)


async def delete(ctx: Ctx, urn: str) -> None:
    """A policy that nobody has. Raises POLICY_UNKNOWN, IN_USE."""

    def remove(rows: Rows) -> None:
        _own(ctx, rows, urn)
        if sql.entities(rows, ctx.who.account_id, urn, 0, 0)[0]:
            raise HubError(Kind.IN_USE, f"{urn}; detach it first, ListEntitiesForPolicy tells from whom")
        sql.delete(rows, urn)

    await ctx.hub.db.write(remove)


def _own(ctx: Ctx, rows: Rows, urn: str) -> Policy:
    found = sql.find(rows, ctx.who.account_id, urn)
    if found is None:
        raise HubError(Kind.POLICY_UNKNOWN, urn[:100])
    return found


def find(ctx: Ctx, rows: Rows, urn: str) -> Policy:
    """A policy of the account or one that comes with the hub; raises POLICY_UNKNOWN."""
    if urn in policy.SYSTEM:
        return system(urn)
    return _own(ctx, rows, urn)


def system(urn: str) -> Policy:
    """A policy that comes with the hub."""
    known = policy.SYSTEM[urn]
    return Policy(known.name, urn, known.description, known.document, "ScopeUnrestricted", 0, 0)


def page(ctx: Ctx, rows: Rows, owner: str, limit: int, offset: int) -> tuple[int, list[Policy]]:
    """(how many, one page): of the hub (Owner=System), of the account (Owner=User), or of both.

    Raises BAD_PARAM for another owner.
    """
    known = {
        "system": (True, False),
        "ucs": (True, False),
        "user": (False, True),
        "custom": (False, True),
        "all": (True, True),
    }
    if owner.lower() not in known:
        raise HubError(Kind.BAD_PARAM, "Owner")
    with_system, with_own = known[owner.lower()]
    first = [system(urn) for urn in policy.SYSTEM] if with_system else []
    shown = first[offset : offset + limit]
    if not with_own:
        return len(first), shown
    total, own = sql.page(rows, ctx.who.account_id, limit - len(shown), max(0, offset - len(first)))
    return len(first) + total, [*shown, *own]


def holder_of_user(ctx: Ctx, rows: Rows, user_name: str) -> str:
    """Raises USER_UNKNOWN, and DENIED for the main user, whom no policy touches."""
    member = members.found(ctx, rows, user_name)
    if member.is_main:
        raise HubError(Kind.DENIED, "the main user may do everything; policies are for sub-users and roles")
    return f"user {member.id}"


def role(ctx: Ctx, rows: Rows, name: str) -> Role:
    """A role of the account; raises ROLE_UNKNOWN."""
    found = sql.find_role(rows, ctx.who.account_id, name)
    if found is None:
        raise HubError(Kind.ROLE_UNKNOWN, name[:60])
    return found


def holder_of_role(ctx: Ctx, rows: Rows, name: str) -> str:
    """Raises ROLE_UNKNOWN."""
    return f"role {role(ctx, rows, name).id}"


def place(ctx: Ctx, rows: Rows, scope: str, project_id: str | None) -> str:
    """Where a policy is to hold: a project's id, or "" for everywhere.

    Raises BAD_PARAM, MISSING_PARAM, UNKNOWN_PROJECT.
    """
    known = {"specified": True, "all": False, "unspecified": False, "global": False, "": False}
    if scope.lower() not in known:
        raise HubError(Kind.BAD_PARAM, "Scope")
    if not known[scope.lower()]:
        return ""
    if not project_id:
        raise HubError(Kind.MISSING_PARAM, "ProjectID")
    if members_sql.project(rows, ctx.who.account_id, project_id) is None:
        raise HubError(Kind.UNKNOWN_PROJECT, project_id[:60])
    return project_id


def attach(ctx: Ctx, rows: Rows, holder: str, urns: list[str], project_id: str) -> None:
    """Give policies to a user or role. Raises POLICY_UNKNOWN, BAD_PARAM where a policy may not be, QUOTA_EXCEEDED."""
    if len(set(urns)) != len(urns) or len(urns) > ATTACHED:
        raise HubError(Kind.BAD_PARAM, f"PolicyURNs: at most {ATTACHED}, each once")
    for urn in urns:
        scope_type = find(ctx, rows, urn).scope_type
        if (scope_type == "ScopeEmpty" and project_id) or (scope_type == "ScopeRequired" and not project_id):
            where = "in a project" if project_id else "everywhere"
            raise HubError(Kind.BAD_PARAM, f"Scope: {urn} is {scope_type} and cannot be attached {where}")
        sql.attach(rows, ctx.who.account_id, holder, urn, project_id, ctx.now)
    if len(sql.attached(rows, holder)) > ATTACHED:
        raise HubError(Kind.QUOTA_EXCEEDED, f"at most {ATTACHED} policies for one user or role")


def detach(rows: Rows, holder: str, urns: list[str], project_id: str) -> None:
    """Take policies back. Raises POLICY_UNKNOWN for one that was not attached there; none is taken then."""
    for urn in urns:
        if not sql.detach(rows, holder, urn, project_id):
            raise HubError(Kind.POLICY_UNKNOWN, f"{urn} is not attached there")


def entities(ctx: Ctx, rows: Rows, urn: str, limit: int, offset: int) -> tuple[int, list[Entity]]:
    """Who has a policy. Raises POLICY_UNKNOWN."""
    find(ctx, rows, urn)
    return sql.entities(rows, ctx.who.account_id, urn, limit, offset)
