"""Run one action: the right it takes, the checks every action shares, its handler. The console comes in here too."""

import dataclasses
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from entrepot.actions.targets import acts_on
from entrepot.api.declare import ACTIONS, Action, Request, Response
from entrepot.errors import HubError, Kind
from entrepot.model import policy
from entrepot.model.policy import ACCOUNT
from entrepot.ops import audit, permits
from entrepot.ops.context import Ctx
from entrepot.store.sql import people as people_sql


@dataclass(frozen=True, slots=True)
class Call:
    """Who calls, and under which host name the client sees the registry.

    ``projects``: None, or the only projects that a list may show to this caller.
    """

    ctx: Ctx
    host: str
    projects: frozenset[str] | None = None


Handler = Callable[[Call, Any], Awaitable[Response]]
HANDLERS: dict[type[Request], Handler] = {}
F = TypeVar("F", bound=Handler)


def handles(request: type[Request]) -> Callable[[F], F]:
    """File a function as the handler of a declaration."""

    def register(function: F) -> F:
        assert request not in HANDLERS, f"{request.__name__} is handled twice"
        HANDLERS[request] = function
        return function

    return register


def check_complete() -> None:
    """Raise RuntimeError unless declarations and handlers match: the server refuses to start then."""
    declared = {action.request for action in ACTIONS.values()}
    odd = declared ^ set(HANDLERS)
    if odd:
        raise RuntimeError(f"declared without handler or handled without declaration: {sorted(map(str, odd))}")


# What of a request may stand in the audit trail: names and switches, never free text and never a secret.
_TARGETS = (
    "bucket_name", "repo_name", "image_name", "tag_name", "tag", "user_name", "new_user_name", "access_key_id",
    "project_id", "policy_name", "policy_urn", "policy_urns", "role_name", "role_urn", "role_session_name",
    "grantee_id", "deletion_id", "robot_name", "namespace", "workflow_name", "workflow_id", "instance_id", "endpoint",
    "webhook_id", "delivery_id", "trigger_id", "source",
)  # fmt: skip
_DETAILS = (
    "right", "permission", "scope", "status", "is_shared", "is_out_side", "network", "api_network_mask",
    "login_network_mask", "preset", "except_tag", "expire_time", "event", "match", "enabled", "trigger_kind", "cron",
    "time_zone", "bucket",
)  # fmt: skip


def _target(request: Request) -> str:
    """What a change was about, for the trail; switches are told where they were sent."""
    told = [_told(value) for name in _TARGETS if (value := getattr(request, name, None))]
    for info in msgspec.structs.fields(type(request)):
        value = getattr(request, info.name)
        if info.name in _DETAILS and (info.required or value != info.default):
            told.append(f"{info.encode_name}={_told(value)}")
    return " ".join(told)


def _told(value: Any) -> str:
    return ",".join(map(_told, value)) if isinstance(value, list) else str(getattr(value, "value", value))


async def check_project(ctx: Ctx, project_id: str) -> None:
    """Raise UNKNOWN_PROJECT for a ProjectId that is not of the caller's account; "" is none."""
    if project_id and not await ctx.hub.db.read(people_sql.has_project, ctx.who.account_id, project_id):
        raise HubError(Kind.UNKNOWN_PROJECT, project_id[:60])


async def run(call: Call, request: Request) -> Response:
    """The action's answer; a change leaves a line in the audit trail, refused or not.

    Raises DENIED, MISSING_PARAM and BAD_PARAM (Region), and what the handler raises.
    """
    action = ACTIONS[type(request).__name__]
    if action.safe:
        return await _run(call, action, request)
    target = _target(request)
    try:
        response = await _run(call, action, request)
    except HubError as fault:
        await audit.record_refusal(call.ctx, action.name, target, fault)
        raise
    await audit.record(call.ctx, action.name, target)
    return response


async def _run(call: Call, action: Action, request: Request) -> Response:
    call = await _permitted(call, action, request)
    if action.in_project and not call.ctx.who.is_main and not getattr(request, "project_id", None):
        raise HubError(Kind.DENIED, "a sub-user must send ProjectId")
    region = getattr(request, "region", None)
    if region == "":
        raise HubError(Kind.MISSING_PARAM, "Region")
    if region is not None and region not in call.ctx.hub.settings.region_ids:
        raise HubError(Kind.BAD_PARAM, "Region")
    return await HANDLERS[type(request)](call, request)


async def _permitted(call: Call, action: Action, request: Request) -> Call:
    """The call with what it is allowed: the declared right on all it acts on, or a list of some projects only."""
    who = call.ctx.who
    if who.is_main:
        return call
    has_policies = bool(who.policies) or who.boundary is not None
    targets = await call.ctx.hub.db.read(acts_on, call.ctx, request) if has_policies else (ACCOUNT,)
    projects: frozenset[str] | None = None
    # What any login may do for itself, somebody who acts in a role may only look at.
    needs = action.needs or ("admin" if who.role and not action.safe else "")
    if not all(permits.may(who, needs, action.policy_name, target) for target in targets):
        if action.by_project and who.boundary is None:
            projects = policy.projects(who.policies, action.policy_name)
        if not projects:
            raise HubError(Kind.DENIED, f"{action.name} needs the right {action.needs!r}, or a policy that allows it")
    by_policy = all(policy.decide(who.policies, action.policy_name, target) is True for target in targets)
    # Anybody handles the own keys; whom a policy lets call these actions, the keys of others too.
    right = action.needs or ("admin" if action.group == "IAM" and by_policy else "")
    if right and right not in who.rights:
        # The verb asks for the right; a policy gave it for this call.
        who = dataclasses.replace(who, rights=who.rights | {right})
    return dataclasses.replace(call, ctx=dataclasses.replace(call.ctx, who=who), projects=projects)
