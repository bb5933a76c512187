"""The drawing of a template: every step once, every way once, as SVG that parses; and faults at their lines."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot import console
from entrepot.console import graph, lines
from entrepot.console.flow_words import in_words
from entrepot.model.flow import template as templates
from entrepot.model.flow.check import check
from entrepot.model.flow.template import Fault, TemplateError
from tests.model.flow.kit import END, param, start, step
from tests.model.flow.kit import template as made

CJK = re.compile("[一-鿿]")
NAME = st.text(alphabet="abcdefghijklmnopqrstuvwxyz-_0123456789", min_size=1, max_size=40)


@st.composite
def flows(draw: st.DrawFn) -> dict[str, Any]:
    """Templates of any shape: ways forward, across, back and to itself."""
    names = draw(st.lists(NAME.filter(lambda one: one not in {"start", "end"}), max_size=25, unique=True))
    anywhere = st.sampled_from([*names, "end"])
    listed = [start(draw(anywhere))]
    for name in names:
        kind = draw(st.sampled_from(["http", "bool", "switch", "split", "merge", "each"]))
        if kind == "bool":
            listed.append(
                step(name, "BoolDecision", "", {"express": {}, "true": draw(anywhere), "false": draw(anywhere)})
            )
        elif kind == "switch":
            cases = draw(st.lists(st.fixed_dictionaries({"value": st.text(max_size=30), "next": anywhere}), max_size=4))
            listed.append(step(name, "SwitchDecision", "", {"express": {}, "cases": cases, "default": draw(anywhere)}))
        elif kind == "split":
            listed.append(
                step(name, "SplitDecision", "", {"branches": draw(st.lists(anywhere, min_size=1, max_size=6))})
            )
        else:
            type_ = {"http": "HttpActivity", "merge": "MergeDecision", "each": "IterateDecision"}[kind]
            listed.append(step(name, type_, draw(anywhere), {}))
    return {"Input": [], "Output": [], "Activities": [*listed, END]}


def printed(drawn: graph.Graph) -> ET.Element:
    """What graph.html makes of it, read as XML."""
    folder = Path(console.__file__).parent / "templates"
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(str(folder)), autoescape=True)
    source = (
        '{% from "graph.html" import drawing with context %}{% macro to(step) %}#s{{ step.place }}{% endmacro %}'
        '{{ drawing(graph, {}, "drawing", to) }}'
    )
    page = environment.from_string(source).render(graph=drawn, say=lambda en, zh: en)
    return ET.fromstring(page[page.index("<svg") : page.index("</svg>") + 6])


@given(flows())
@settings(max_examples=60, deadline=None)
def test_every_step_and_every_way_is_drawn_once(value: dict[str, Any]) -> None:
    steps = graph.steps(value)
    drawn = graph.draw(steps)
    assert sorted(one.step.place for one in drawn.nodes) == list(range(len(value["Activities"])))
    assert len(drawn.ways) == sum(len(one.follows) for one in steps)
    boxes = [(one.x, one.y) for one in drawn.nodes]
    for place, (x, y) in enumerate(boxes):
        assert 0 <= x <= drawn.width - graph.WIDTH
        assert 0 <= y <= drawn.height - graph.HEIGHT
        assert not [1 for a, b in boxes[place + 1 :] if abs(a - x) < graph.WIDTH and abs(b - y) < graph.HEIGHT]
    svg = printed(drawn)
    titles = [one.text for one in svg.iter() if one.tag.endswith("title")]
    assert sorted(titles) == sorted(f"{one['Name']} · {one['Type']}" for one in value["Activities"])
    links = [one.get("href") for one in svg.iter() if one.tag == "a"]
    assert len(links) == len(set(links)) == len(value["Activities"])


def test_hostile_names_stay_text_and_the_most_is_drawn() -> None:
    bad = '<script>alert(1)</script>"&'
    value = {"Activities": [start(bad), step(bad, "BoolDecision", "", {"true": "end", "false": bad}), END]}
    svg = printed(graph.draw(graph.steps(value)))
    assert not [one for one in svg.iter() if "script" in one.tag]
    assert bad in [(one.text or "").partition(" ·")[0] for one in svg.iter() if one.tag.endswith("title")]
    many = [step(f"s{n}", "HttpActivity", f"s{n + 1}") for n in range(500)]
    assert len(graph.draw(graph.steps({"Activities": many})).nodes) == 200


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(),
                    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)),
       st.sampled_from([None, 1, 3]))  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_every_value_is_found_at_its_line(value: Any, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    found = lines.locate(text)
    assert max(found.values()) <= text.count("\n") + 1

    def walk(one: Any, path: tuple[Any, ...]) -> None:
        assert path in found
        if not isinstance(one, dict | list) and indent:
            assert json.dumps(one) in text.splitlines()[found[path] - 1]
        for key, inner in one.items() if isinstance(one, dict) else enumerate(one) if isinstance(one, list) else ():
            walk(inner, (*path, key))

    walk(value, ())


def test_a_fault_is_told_at_the_line_of_its_field() -> None:
    value = made(start("one"), step("one", "HttpActivity", "nowhere", {"URL": "ftp:", "method": "GET"}))
    text = json.dumps(value, indent=2)
    marked = {one.field: one for one in lines.mark(lines.locate(text), value, check(templates.parse(text)))}
    rows = text.splitlines()
    assert "nowhere" in rows[marked["Next"].line - 1]
    assert "ftp:" in rows[marked["Input.url"].line - 1]
    assert marked["Next"].place == 1
    assert lines.broken_line('{\n  "a": \n}') == 3
    assert lines.mark({}, None, [Fault("", "Workflow", "this is no JSON: x")])[0].line == 1


FAULTY: list[Any] = [
    "{", "[]", {"Activities": 1}, {"Activities": [1]}, {"Activities": [{"Name": 1}]}, {"Odd": 1, "Activities": []},
    {"Activities": [{"Name": "a", "Type": "T", "Timeout": -1, "Input": 1, "Output": 1}]},
    {"Activities": [{"Name": "a", "Type": "T"}], "Activites": [{}]}, {"Activities": [step("a", "No")] * 201},
    {"Activities": [], "Input": [1, param("a", "X"), param("a")]},
    made(start("no"), step("a b", "Nothing"), step("a", "HttpActivity", "start", {"url": 1, "method": "NO", "query": 1,
         "header": 1, "isAsync": True, "odd": 1}), step("b", "UHttpActivity", "end", {"body": {}}),
         step("c", "WorkflowActivity", "end", {"workflow": "", "input": 1}),
         step("d", "BoolDecision", "", {"express": {"left": {}}, "true": "end", "false": "end"}, [param("x")]),
         step("e", "SwitchDecision", "", {"express": {}, "cases": 1, "default": "end"}),
         step("f", "SplitDecision", "", {"branches": 1}), step("g", "MergeDecision", "end", {"Pass": 0, "pass": 1}),
         step("h", "IterateDecision", "end", {"Value": 1}), step("h", "PlusDecision", "end", {}), step("i", "", "x")),
    made(start("a"), step("a", "HttpActivity", "end", {"url": "http://a/${x.output.Y}/${workflow.input.N}",
         "method": "GET", "body": {"a": "${Own}", "b": "${a.output}", "c": "${a.output.No}", "d": "${global.x}",
         "e": "${workflow.x}", "f": "@func(\"no#no\", 1)", "g": "@func(\"time#now\")", "h": "@func(\"time#now\" 1)",
         "i": "@func(\"time#now\", 1, x)", "j": "${ }", "k": "@func(\"time#unixNow\") more"}},
         [param("O", "INT64", "x"), param("P", "[]INT64", 1)])),
    made(start("end"), step("lost", "HttpActivity", "end", {"url": "http://a", "method": "GET"})),
    made(start("a"), step("a", "PlusDecision", "a", {"step": 1})),
]  # fmt: skip


@pytest.mark.parametrize("value", FAULTY, ids=range(len(FAULTY)))
def test_every_fault_is_said_in_chinese(value: Any) -> None:
    try:
        found = check(templates.parse(value if isinstance(value, str) else json.dumps(value)))
    except TemplateError as fault:
        found = fault.faults
    assert found
    for one in found:
        assert CJK.search(in_words(one.message, "zh")), one.message
        assert in_words(one.message, "en") == one.message
