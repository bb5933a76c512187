"""Runs of a workflow: the form that starts one, the list, and the track of one with the data of each step."""

import json
from typing import Any, NamedTuple

from entrepot.api.stepflow_runs import State, TrackStep
from entrepot.console import graph
from entrepot.console.design import Look, plain, saved
from entrepot.console.pages import page, stay
from entrepot.console.visit import Moved, Shown, Visit, link
from entrepot.errors import HubError, Kind

ROWS = 25
STEPS = 100
"""Most steps of a track on one page; a loop may take thousands."""
MOST_SHOWN = 20_000
"""Most characters of a step's data on a page; the API tells all of it."""
SECTION = "/stepflow/manage"
RUN = "/stepflow/manage/run"
PREFIX = "in."


class Field(NamedTuple):
    """An input of the run form; ``kind``: text, number, pick or long."""

    name: str
    type: str
    kind: str
    value: str


def fields(params: list[Any], form: dict[str, str]) -> list[Field]:
    """The inputs as the template declares them, with what was typed or their defaults."""
    kinds = {"INT64": "number", "FLOAT64": "number", "BOOL": "pick", "STRING": "text"}
    found = []
    for one in params:
        value = one.value if one.value is not None else ""
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        typed = form.get(PREFIX + one.name, shown)
        found.append(Field(one.name, one.type, kinds.get(one.type, "long"), typed))
    return found


def typed_input(params: list[Any], form: dict[str, str]) -> dict[str, Any]:
    """What the form gives; a field that was left empty keeps the template's own value. Raises BAD_PARAM."""
    found: dict[str, Any] = {}
    for one in params:
        text = form.get(PREFIX + one.name, "")
        if one.type == "STRING" and text:
            found[one.name] = text
        elif text.strip():
            try:
                found[one.name] = json.loads(text)
            except (ValueError, RecursionError) as fault:
                raise HubError(Kind.BAD_PARAM, f"{one.name}: {one.type} as JSON is expected") from fault
    return found


async def _run(visit: Visit) -> Moved | None:
    if visit.form.get("do") != "RunSFWorkflow":
        return None
    name = visit.query.get("id", "")
    version = visit.form.get("WorkflowVersion", "")
    number = int(version) if version.isascii() and version.isdigit() and len(version) < 10 else 0
    if visit.form.get("as") == "json":
        given = visit.form.get("Input", "{}")
    else:
        shown = number or (await visit.run("DescribeSFWorkflow", WorkflowId=name)).workflow.published_version
        params = (await saved(visit, name, shown)).input if shown else []
        given = json.dumps(typed_input(params, visit.form))
    asked = await visit.run("RunSFWorkflow", WorkflowId=name, WorkflowVersion=str(number), Input=given)
    return Moved(link(RUN, id=asked.instance_id, done="RunSFWorkflow"))


@page(f"{SECTION}/runs", section=SECTION, post=_run)
async def show_runs(visit: Visit) -> Shown:
    """The runs, newest first, of one state or all; and the form for a new one."""
    workflow = (await visit.run("DescribeSFWorkflow", WorkflowId=visit.query.get("id", ""))).workflow
    state = visit.query.get("state", "")
    only = {"State": state} if state in {one.value for one in State} else {}
    offset = visit.number("offset", 100_000)
    found = await visit.run(
        "ListSFInstances", only, WorkflowId=workflow.workflow_id, Limit=str(ROWS + 1), Offset=str(offset)
    )
    version = visit.number("version") or workflow.published_version or workflow.newest_version
    template = await saved(visit, workflow.workflow_id, version)
    inputs = fields(template.input, visit.form)
    return Shown(
        "workflow_runs.html",
        {
            "workflow": workflow,
            "version": version,
            "tab": "runs",
            "runs": found.instance_set[:ROWS],
            "more": len(found.instance_set) > ROWS,
            "offset": offset,
            "rows": ROWS,
            "state": only.get("State", ""),
            "states": [one.value for one in State],
            "inputs": inputs,
            "json": visit.form.get("Input") or json.dumps({one.name: one.value for one in template.input}, indent=2),
        },
    )


class Stepped(NamedTuple):
    """A step of the track as the page shows it; times in seconds, ``taken`` None where nothing was waited for."""

    number: int
    name: str
    type: str
    state: str
    fault: str
    begin: float
    taken: float | None
    data: list[tuple[str, str, str]]


def _stepped(number: int, one: TrackStep) -> Stepped:
    data = [
        (en, zh, _printed(value))
        for en, zh, value in (
            ("Input", "输入", one.input),
            ("Output", "输出", one.output),
            ("Whole answer", "完整响应", one.response),
        )
        if value not in (None, {}, "")
    ]
    taken = one.end_time - one.begin_time if one.end_time and one.begin_time else None
    return Stepped(number, one.name, one.type, one.state, one.fault, one.begin_time, taken, data)


def _printed(value: Any) -> str:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}\n…"


def _again(visit: Visit) -> str:
    return link(RUN, id=visit.answer.instance_id, done="RerunSFInstance")


@page(RUN, section=SECTION, does={"CancelSFInstance": stay, "RerunSFInstance": _again})
async def show_run(visit: Visit) -> Shown:
    """A run: where it stands, drawn and step by step."""
    found = await visit.run("GetSFInstance", InstanceId=visit.query.get("id", ""))
    run = found.instance
    template = await saved(visit, run.workflow_id, run.version)
    steps = graph.steps(plain(template))
    offset = visit.number("offset", 10_000)
    track = [_stepped(number, one) for number, one in enumerate(found.step_set)]
    return Shown(
        "workflow_run.html",
        {
            "run": run,
            "is_over": bool(run.end_time),
            "input": _printed(found.input),
            "output": _printed(found.output) if found.output is not None else "",
            "graph": graph.draw(steps),
            "looks": _looks(visit, steps, found.step_set),
            "anchors": {one.name: one.number for one in track[offset : offset + STEPS]},
            "track": track[offset : offset + STEPS],
            "total": len(track),
            "offset": offset,
            "rows": STEPS,
        },
    )


def _looks(visit: Visit, steps: list[graph.Step], track: list[TrackStep]) -> dict[int, Look]:
    """Each step as the last time that the run came by."""
    words = {
        "Running": ("busy", visit.say("running", "运行中")),
        "Success": ("good", visit.say("done", "完成")),
        "Failure": ("bad", visit.say("failed", "失败")),
    }
    last = {one.name: one.state for one in track}
    return {one.place: Look(*words[last[one.name]]) for one in steps if last.get(one.name) in words}
