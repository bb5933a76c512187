"""Run one action: the right it takes, the checks every action shares, its handler. The console comes in here too."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from entrepot.api.declare import ACTIONS, Request, Response
from entrepot.errors import HubError, Kind
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


async def run(call: Call, request: Request) -> Response:
    """The action's answer. Raises DENIED, MISSING_PARAM and BAD_PARAM (Region), and what the handler raises."""
    action = ACTIONS[type(request).__name__]
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
