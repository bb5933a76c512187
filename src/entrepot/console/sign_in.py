"""Signing in and out."""

from urllib.parse import parse_qsl

from entrepot.console.cookies import cookie
from entrepot.console.pages import PAGES, page
from entrepot.console.visit import Moved, Shown, Visit, link
from entrepot.ops import visitors
from entrepot.ops.context import Ctx

HOME = "/console"


def local(text: str) -> str:
    """A path of one of our pages with its query, rebuilt from its parts; HOME for anything else."""
    path, _, query = text[:4000].partition("?")
    if path not in PAGES or path in {"/console/login", "/console/logout"}:
        return HOME
    return link(path, **dict(parse_qsl(query)))


async def _post(visit: Visit) -> Moved:
    ctx = Ctx(visit.hub, address=visit.address)
    session = await visitors.sign_in(ctx, visit.form.get("email", "").strip(), visit.form.get("password", ""))
    if visit.session:
        await visitors.sign_out(visit.hub, visit.session)
    line = cookie("session", session, is_secure=visit.is_secure, seconds=visitors.LIFE_SECONDS)
    return Moved(local(visit.query.get("next", "")), (line,))


@page("/console/login", post=_post, is_open=True)
async def show(visit: Visit) -> Shown | Moved:
    """The form; who is signed in goes on."""
    if visit.visitor is not None and visit.fault is None:
        return Moved(local(visit.query.get("next", "")))
    return Shown("sign_in.html", {"email": visit.form.get("email", "")})


async def _leave(visit: Visit) -> Moved:
    if visit.session:
        await visitors.sign_out(visit.hub, visit.session)
    return Moved("/console/login", (cookie("session", "", is_secure=visit.is_secure, seconds=0),))


@page("/console/logout", post=_leave)
async def ask(visit: Visit) -> Shown:  # noqa: ARG001 - one shape for all pages
    """A question, for who comes here by a link."""
    return Shown("sign_out.html", {})
