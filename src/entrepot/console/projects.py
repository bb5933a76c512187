"""Projects."""

from entrepot.console.pages import Nav, page, stay
from entrepot.console.visit import Shown, Visit


@page(
    "/console/projects",
    does={"CreateProject": stay, "ModifyProject": stay, "TerminateProject": stay},
    nav=Nav("Projects", "项目", "folder", 30),
)
async def show(visit: Visit) -> Shown:
    """All of them: an account has a handful."""
    listed = await visit.run("GetProjectList")
    return Shown("projects.html", {"projects": listed.project_set, "form": visit.form})
