"""Workflows: namespaces, the gallery, a new workflow, one workflow with its drawing and text, its versions."""

import difflib

from entrepot.console import gallery
from entrepot.console.design import SKELETON, design, encode, saved, written
from entrepot.console.pages import Nav, page, show_answer, stay, to
from entrepot.console.visit import Moved, Shown, Visit, link

ROWS = 25
SECTION = "/stepflow/manage"
WORKFLOW = "/stepflow/manage/workflow"


@page(
    SECTION,
    does={"CreateSFNamespace": lambda visit: link(f"{SECTION}/namespace", id=visit.answer.namespace_id)},
    nav=Nav("Workflows", "工作流", "flow", 30),
)
async def show_all(visit: Visit) -> Shown:
    """The namespaces."""
    offset = visit.number("offset")
    found = (await visit.run("ListSFNamespaces", Limit=str(ROWS + 1), Offset=str(offset))).namespace_set
    projects = await visit.run("GetProjectList")
    return Shown(
        "workflows.html",
        {
            "namespaces": found[:ROWS],
            "more": len(found) > ROWS,
            "offset": offset,
            "rows": ROWS,
            "projects": projects.project_set,
            "form": visit.form,
        },
    )


@page(
    f"{SECTION}/namespace",
    section=SECTION,
    does={
        "UpdateSFNamespace": stay,
        "SetSFGlobals": stay,
        "SetSFCredential": stay,
        "DeleteSFCredential": stay,
        "DeleteSFNamespace": to(SECTION),
    },
)
async def show_namespace(visit: Visit) -> Shown:
    """Its workflows with their last runs, its globals, and whose keys are kept; a private key is never shown again."""
    name = visit.query.get("id", "")
    offset = visit.number("offset")
    listed = await visit.run("ListSFWorkflows", Namespace=name, Limit=str(ROWS), Offset=str(offset))
    kept = await visit.run("GetSFGlobals", Namespace=name)
    keys = await visit.run("ListSFCredentials", Namespace=name)
    return Shown(
        "namespace.html",
        {
            "namespace": name,
            "workflows": listed.workflow_set,
            "total": listed.total_count,
            "offset": offset,
            "rows": ROWS,
            "globals": kept.globals,
            "credentials": keys.credential_set,
            "form": visit.form,
        },
    )


@page(f"{SECTION}/gallery", section=SECTION)
async def show_gallery(visit: Visit) -> Shown:
    """Workflows that are ready to be adapted."""
    spaces = await visit.run("ListSFNamespaces", Limit="1")
    return Shown("gallery.html", {"samples": gallery.samples().values(), "has_space": bool(spaces.namespace_set)})


async def _write(visit: Visit) -> Shown | Moved | None:
    """The text of a form goes to the API as base64. A check changes nothing and shows the page."""
    do = visit.form.get("do", "")
    if do == "CheckSFWorkflowTemplate":
        return await (show_new if visit.path.endswith("/new") else show_one)(visit)
    if do != "CreateSFWorkflowFromTemplate":
        return None
    namespace, _, name = visit.query.get("id", "").partition(".")
    namespace = namespace or visit.form.get("Namespace", "")
    name = name or visit.form.get("WorkflowName", "")
    made = await visit.run(
        do,
        Region=visit.hub.settings.default_region,
        Namespace=namespace,
        WorkflowName=name,
        Workflow=encode(_given(visit)),
    )
    return Moved(link(WORKFLOW, id=f"{namespace}.{name}", version=made.version, done=do))


def _given(visit: Visit) -> str:
    return visit.form.get("Template", "").replace("\r\n", "\n")


@page(f"{SECTION}/new", section=SECTION, post=_write)
async def show_new(visit: Visit) -> Shown:
    """From the gallery, from a text that was exported, or from nearly nothing."""
    spaces = (await visit.run("ListSFNamespaces", Limit="100")).namespace_set
    sample = gallery.samples().get(visit.query.get("from", ""))
    text = _given(visit) or (sample.text if sample else SKELETON)
    return Shown(
        "workflow_new.html",
        {
            "namespaces": [one.namespace_id for one in spaces],
            "namespace": visit.form.get("Namespace", visit.query.get("namespace", "")),
            "name": visit.form.get("WorkflowName", sample.name if sample else ""),
            "sample": sample,
            "design": await design(visit, text),
            "is_checked": visit.form.get("do") == "CheckSFWorkflowTemplate",
        },
    )


@page(
    WORKFLOW,
    section=SECTION,
    post=_write,
    does={
        "PublishSFWorkflow": stay,
        "CreateSFWorkflowToken": show_answer,
        "DeleteSFWorkflow": lambda visit: link(
            f"{SECTION}/namespace", id=visit.query.get("id", "").partition(".")[0], done="DeleteSFWorkflow"
        ),
    },
)
async def show_one(visit: Visit) -> Shown:
    """A version of a workflow, the newest where none is named; what was typed stays as long as it is not saved."""
    workflow = (await visit.run("DescribeSFWorkflow", WorkflowId=visit.query.get("id", ""))).workflow
    version = visit.number("version") or workflow.newest_version
    text = written(await saved(visit, workflow.workflow_id, version))
    given = _given(visit)
    return Shown(
        "workflow.html",
        {
            "workflow": workflow,
            "version": version,
            "tab": "design",
            "design": await design(visit, given or text),
            "is_typed": bool(given) and given != text,
            "is_checked": visit.form.get("do") == "CheckSFWorkflowTemplate",
            "made": visit.answer if visit.form.get("do") == "CreateSFWorkflowToken" else None,
        },
    )


@page(f"{SECTION}/versions", section=SECTION, does={"PublishSFWorkflow": stay})
async def show_versions(visit: Visit) -> Shown:
    """The versions, newest first, and what changed between two of them."""
    workflow = (await visit.run("DescribeSFWorkflow", WorkflowId=visit.query.get("id", ""))).workflow
    before = visit.number("before")
    found = await visit.run(
        "ListSFWorkflowVersions", WorkflowId=workflow.workflow_id, Limit=str(ROWS), Before=str(before)
    )
    left, right = visit.number("left"), visit.number("right")
    changes: list[tuple[str, str]] | None = None
    if left and right:
        texts = [written(await saved(visit, workflow.workflow_id, version)).splitlines() for version in (left, right)]
        changes = [_kind(line) for line in list(difflib.unified_diff(texts[0], texts[1], n=3, lineterm=""))[2:]]
    return Shown(
        "workflow_versions.html",
        {
            "workflow": workflow,
            "tab": "versions",
            "versions": found.version_set,
            "rows": ROWS,
            "left": left,
            "right": right,
            "changes": changes,
        },
    )


def _kind(line: str) -> tuple[str, str]:
    return {"+": "added", "-": "gone", "@": "place"}.get(line[:1], ""), line
