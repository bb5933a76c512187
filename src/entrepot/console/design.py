"""A template as pages show it: its drawing beside its lines, and each fault at its step and at its line."""

import base64
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from entrepot.api.stepflow import TemplateModel
from entrepot.console import graph, lines
from entrepot.console.flow_words import in_words
from entrepot.console.graph import Graph
from entrepot.console.lines import Marked
from entrepot.console.visit import Visit

SKELETON = """{
  "Input": [],
  "Output": [],
  "Activities": [
    {"Name": "start", "Type": "StartActivity", "Next": "call"},
    {
      "Name": "call",
      "Type": "UHttpActivity",
      "Next": "end",
      "Input": {"url": "https://api.ucloud.cn", "method": "POST", "body": {"Action": "GetRegion"}}
    },
    {"Name": "end", "Type": "EndActivity"}
  ]
}
"""


class Row(NamedTuple):
    """A line of the text; ``step``: the place of the step that begins here."""

    number: int
    text: str
    faults: list[Marked]
    step: int | None


class Look(NamedTuple):
    """How a step is to be drawn: a class of the style sheet, and words for who cannot see it."""

    kind: str
    words: str


class Design(NamedTuple):
    """What design.html shows. ``looks``: place of a step -> its look, where it has one."""

    text: str
    graph: Graph
    rows: list[Row]
    faults: list[Marked]
    looks: Mapping[int, Look]
    is_sound: bool


def encode(text: str) -> str:
    """A template as the API takes it."""
    return base64.b64encode(text.encode("utf-8", "replace")).decode()


async def saved(visit: Visit, workflow_id: str, version: int) -> TemplateModel:
    """A version of a workflow, as the API tells it."""
    answer = await visit.run(
        "GetSFWorkflowTemplate",
        Region=visit.hub.settings.default_region,
        WorkflowId=workflow_id,
        WorkflowVersion=str(version),
    )
    template: TemplateModel = answer.workflow
    return template


def plain(template: TemplateModel) -> dict[str, Any]:
    """A saved template as JSON: one spelling of its list of steps, and no Constrain that says nothing."""
    value: dict[str, Any] = msgspec.to_builtins(template)
    value.pop("Activites", None)
    lists = [value["Input"], value["Output"], *(one.get("Output") or [] for one in value["Activities"])]
    for param in (one for listed in lists for one in listed):
        if param.get("Constrain") is None:
            param.pop("Constrain", None)
    return value


def written(template: TemplateModel) -> str:
    """A saved template as it is edited."""
    return json.dumps(plain(template), indent=2, ensure_ascii=False)


def decoded(text: str) -> Any:
    """The JSON of a text; None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


async def design(visit: Visit, text: str) -> Design:
    """Of a text as it is, right or wrong; the API's own check tells the faults."""
    answer = await visit.run("CheckSFWorkflowTemplate", Workflow=encode(text))
    value = decoded(text)
    at_lines = lines.locate(text) if value is not None else {}
    marked = [
        one._replace(message=in_words(one.message, visit.lang)) for one in lines.mark(at_lines, value, answer.fault_set)
    ]
    if value is None and (at := lines.broken_line(text)):
        marked = [one._replace(line=at) for one in marked]
    by_line: dict[int, list[Marked]] = {}
    for one in marked:
        by_line.setdefault(one.line, []).append(one)
    steps = graph.steps(value)
    begins = _begins(at_lines)
    rows = [
        Row(number, line, by_line.get(number, []), begins.get(number))
        for number, line in enumerate(text.splitlines() or [""], 1)
    ]
    looks = {}
    for step in steps:
        wrong = [one for one in marked if one.place == step.place]
        if wrong:
            looks[step.place] = Look("bad", visit.say(f"{len(wrong)} to correct", f"{len(wrong)} 处错误"))
    return Design(text, graph.draw(steps), rows, marked, looks, not marked)


def _begins(at_lines: Mapping[lines.Path, int]) -> dict[int, int]:
    """Line -> the place of the step that begins there; of several on one line the first."""
    found: dict[int, int] = {}
    for path, line in at_lines.items():
        if len(path) == 2 and path[0] in {"Activities", "Activites"} and isinstance(path[1], int):
            found.setdefault(line, path[1])
    return found
