"""Run one action: the right it takes, the checks every action shares, its handler. The console comes in here too."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from entrepot.api.declare import ACTIONS, Action, Request, Response
from entrepot.errors import HubError, Kind
from entrepot.ops import audit
from entrepot.ops.context import Ctx


@dataclass(frozen=True, slots=True)
class Call:
    """Who calls, and under which host name the client sees the registry."""

    ctx: Ctx
    host: str


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


# What of a request may stand in the audit trail: names, never free text and never a secret.
_TARGETS = ("bucket_name", "repo_name", "image_name", "tag_name", "tag", "user_name", "access_key_id", "project_id")


async def run(call: Call, request: Request) -> Response:
    """The action's answer; a change leaves a line in the audit trail, refused or not.

    Raises DENIED, MISSING_PARAM and BAD_PARAM (Region), and what the handler raises.
    """
    action = ACTIONS[type(request).__name__]
    if action.safe:
        return await _run(call, action, request)
    target = " ".join(str(value) for name in _TARGETS if (value := getattr(request, name, None)))
    try:
        response = await _run(call, action, request)
    except HubError as fault:
        await audit.record_refusal(call.ctx, action.name, target, fault)
        raise
    await audit.record(call.ctx, action.name, target)
    return response


async def _run(call: Call, action: Action, request: Request) -> Response:
    who = call.ctx.who
    if action.needs and action.needs not in who.rights:
        raise HubError(Kind.DENIED, f"{action.name} needs the right {action.needs!r}")
    if action.in_project and not who.is_main and not getattr(request, "project_id", None):
        raise HubError(Kind.DENIED, "a sub-user must send ProjectId")
    region = getattr(request, "region", None)
    if region == "":
        raise HubError(Kind.MISSING_PARAM, "Region")
    if region is not None and region not in call.ctx.hub.settings.region_ids:
        raise HubError(Kind.BAD_PARAM, "Region")
    return await HANDLERS[type(request)](call, request)
