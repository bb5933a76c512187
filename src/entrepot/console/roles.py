"""Roles: the list, and one role with whom it trusts and which policies it has."""

from entrepot.console.pages import Nav, page, stay, to
from entrepot.console.visit import Shown, Visit

ROWS = 25
SECTION = "/console/roles"


@page(
    SECTION,
    does={"CreateRole": to("/console/role", name="RoleName")},
    nav=Nav("Roles", "角色", "person", 55),
)
async def show_all(visit: Visit) -> Shown:
    """By name, with a form for one more, which trusts the account's own people."""
    offset = visit.number("offset")
    listed = await visit.run("ListRoles", Limit=str(ROWS), Offset=str(offset))
    return Shown(
        "roles.html",
        {
            "roles": listed.roles,
            "total": listed.total_count,
            "offset": offset,
            "rows": ROWS,
            "account_id": visit.me.who.account_id,
            "form": visit.form,
        },
    )


@page(
    "/console/role",
    section=SECTION,
    does={"AttachPoliciesToRole": stay, "DetachPoliciesFromRole": stay, "DeleteRole": to(SECTION)},
)
async def show_one(visit: Visit) -> Shown:
    """One role."""
    name = visit.query.get("name", "")
    role = (await visit.run("GetRole", RoleName=name)).role
    held = await visit.run("ListPoliciesForRole", RoleName=name, Limit="100")
    every = await visit.run("ListPolicies", Limit="100")
    projects = await visit.run("GetProjectList")
    return Shown(
        "role.html",
        {"role": role, "held": held.policies, "policies": every.policies, "projects": projects.project_set},
    )
