"""Users of the account: the list, and one user with rights, policies and its end."""

from entrepot.console.pages import Nav, page, show_answer, stay, to
from entrepot.console.visit import Moved, Shown, Visit
from entrepot.ops.context import RIGHTS

ROWS = 25
SECTION = "/console/users"


@page(SECTION, does={"CreateUser": show_answer}, nav=Nav("Users", "用户", "people", 40))
async def show_all(visit: Visit) -> Shown:
    """By name; a new user's password and key are shown this once."""
    offset = visit.number("offset")
    listed = await visit.run("ListUsers", Limit=str(ROWS), Offset=str(offset))
    return Shown(
        "users.html",
        {
            "users": listed.users,
            "total": listed.total_count,
            "offset": offset,
            "rows": ROWS,
            "made": visit.answer,
            "form": visit.form,
        },
    )


async def _rights(visit: Visit) -> Moved | None:
    if visit.form.get("do") != "SetUserRights":
        return None
    wanted = [right for right in RIGHTS if visit.form.get(f"right-{right}")] or [""]
    await visit.run(
        "SetUserRights",
        {f"Right.{place}": right for place, right in enumerate(wanted)},
        UserName=visit.form.get("UserName", ""),
    )
    return Moved(stay(visit))


def _renamed(visit: Visit) -> str:
    return visit.here(name=visit.form.get("NewUserName") or visit.form.get("UserName", ""), done="UpdateUser")


@page(
    "/console/user",
    section=SECTION,
    post=_rights,
    does={
        "UpdateUser": _renamed,
        "AttachPoliciesToUser": stay,
        "DetachPoliciesFromUser": stay,
        "DeleteUser": to(SECTION),
    },
)
async def show_one(visit: Visit) -> Shown:
    """One user."""
    name = visit.query.get("name", "")
    user = (await visit.run("GetUser", UserName=name)).user
    # No policy touches the main user: its list is refused.
    held = [] if user.is_main else (await visit.run("ListPoliciesForUser", UserName=name, Limit="100")).policies
    every = await visit.run("ListPolicies", Limit="100")
    projects = await visit.run("GetProjectList")
    return Shown(
        "user.html",
        {
            "user": user,
            "held": held,
            "policies": every.policies,
            "projects": projects.project_set,
            "known_rights": RIGHTS,
            "form": visit.form,
        },
    )
