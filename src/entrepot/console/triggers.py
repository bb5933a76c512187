"""Triggers of a workflow: what starts it by itself, events of buckets and the clock."""

from entrepot.console.design import saved
from entrepot.console.events import KINDS, spread_globs, wanted
from entrepot.console.pages import page, stay
from entrepot.console.visit import Shown, Visit
from entrepot.model.events import OFFERED

MOST = 100
"""More than a workflow may have."""
SECTION = "/stepflow/manage"


@page(
    f"{SECTION}/triggers",
    section=SECTION,
    post=spread_globs,
    does={
        "CreateSFTrigger": stay,
        "UpdateSFTrigger": stay,
        "DeleteSFTrigger": lambda visit: visit.here(trigger=None, done="DeleteSFTrigger"),
    },
)
async def show(visit: Visit) -> Shown:
    """The triggers; and a form for one of them (``trigger`` of the query), or the forms for new ones."""
    workflow = (await visit.run("DescribeSFWorkflow", WorkflowId=visit.query.get("id", ""))).workflow
    listed = await visit.run("ListSFTriggers", WorkflowId=workflow.workflow_id, Limit=str(MOST))
    asked = visit.query.get("trigger", "")
    opened = next((one for one in listed.trigger_set if one.trigger_id == asked), None)
    version = workflow.published_version or workflow.newest_version
    inputs = {one.name: one.value for one in (await saved(visit, workflow.workflow_id, version)).input}
    return Shown(
        "workflow_triggers.html",
        {
            "workflow": workflow,
            "tab": "triggers",
            "triggers": listed.trigger_set,
            "opened": opened,
            "kinds": KINDS,
            "wanted": wanted(visit.form, opened),
            "form": visit.form,
            "inputs": inputs,
            "filled": [name for name in inputs if name in OFFERED],
            "left": {name: value for name, value in inputs.items() if name not in OFFERED},
        },
    )
