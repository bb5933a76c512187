"""The static check of a template: every fault at once, each with its place and what would be right."""

import re
from collections.abc import Iterator
from typing import Any

from entrepot.model.flow import expr, kinds
from entrepot.model.flow.expr import Ref
from entrepot.model.flow.kinds import KINDS, Kind
from entrepot.model.flow.template import Activity, Fault, Param, Template
from entrepot.model.flow.types import TypeFault, fit

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"})
OPERATIONS = frozenset({"EQ", "LT", "GT"})
SHORTEST_DELAY = 5
LONGEST_DELAY = 31_536_000
MOST_BRANCHES = 50
SIDES = frozenset({"input", "output"})


def check(template: Template) -> list[Fault]:
    """Everything that is wrong with a template; nothing, when it can run."""
    faults: list[Fault] = []
    names = [one.name for one in template.activities]
    faults += [
        Fault(name, "Name", "two activities have this name")
        for name in sorted({n for n in names if names.count(n) > 1})
    ]
    faults += _ends(template)
    for activity in template.activities:
        faults += _activity(template, activity)
    for params, field in ((template.inputs, "Input"), (template.outputs, "Output")):
        for place, param in enumerate(params):
            faults += _param(template, None, f"{field}.{place}", param)
    if not faults:
        faults += _reached(template)
    return faults


def _ends(template: Template) -> Iterator[Fault]:
    for kind, name in ((kinds.START, "start"), (kinds.END, "end")):
        found = [one.name for one in template.activities if one.type == kind]
        if found != [name]:
            yield Fault("", "Activities", f"exactly one {kind} is needed, and its Name is {name!r}")


def _activity(template: Template, activity: Activity) -> Iterator[Fault]:
    name = activity.name
    if not _NAME.fullmatch(name) or name.lower() in {"workflow", "global"}:
        yield Fault(name, "Name", "1 to 64 letters, digits, - and _; not workflow or global, which mean something else")
    kind = KINDS.get(activity.type)
    if kind is None:
        yield Fault(name, "Type", f"{activity.type!r} is no type; known are {', '.join(sorted(KINDS))}")
        return
    yield from _fields(activity, kind)
    for field, follower in kinds.follows(activity):
        if not isinstance(follower, str) or template.find(follower) is None:
            yield Fault(name, field, f"there is no step {follower!r}; name the step that follows")
        elif follower == "start":
            yield Fault(name, field, "nothing leads back to start; name another step")
    if not kind.is_task and activity.output:
        yield Fault(name, "Output", f"{activity.type} declares no outputs")
    for place, param in enumerate(activity.output or ()):
        yield from _param(template, activity, f"Output.{place}", param)
    for field, text in expr.inside(activity.input or {}):
        yield from _text(template, activity, f"Input.{field}", text, current=False)


def _fields(activity: Activity, kind: Kind) -> Iterator[Fault]:
    name = activity.name
    given = {key.lower() for key in activity.input or {}}
    if len(given) != len(activity.input or {}):
        yield Fault(name, "Input", "two fields differ only in upper and lower case")
    for field in sorted(kind.needs - given):
        yield Fault(name, f"Input.{field}", f"{activity.type} needs this field")
    for field in sorted(given - kind.needs - kind.takes):
        known = ", ".join(sorted(kind.needs | kind.takes)) or "none"
        yield Fault(name, f"Input.{field}", f"{activity.type} has no such field; it has: {known}")
    for field in sorted(given):
        yield from _CHECKS.get((activity.type, field), _anything)(activity, activity.given(field))


def _anything(_activity: Activity, _value: Any) -> Iterator[Fault]:
    return iter(())


def _has_expr(value: Any) -> bool:
    return isinstance(value, str) and ("${" in value or "@func" in value)


def _url(activity: Activity, value: Any) -> Iterator[Fault]:
    if not isinstance(value, str) or not (value.startswith(("http://", "https://")) or _has_expr(value)):
        yield Fault(activity.name, "Input.url", "a URL that begins with http:// or https:// is expected")


def _method(activity: Activity, value: Any) -> Iterator[Fault]:
    if not isinstance(value, str) or (value.upper() not in METHODS and not _has_expr(value)):
        yield Fault(activity.name, "Input.method", f"one of {', '.join(sorted(METHODS))} is expected")


def _object(field: str, *, optional: bool = True) -> Any:
    def look(activity: Activity, value: Any) -> Iterator[Fault]:
        if not isinstance(value, dict) and not (optional and value is None):
            yield Fault(activity.name, f"Input.{field}", "an object is expected")

    return look


def _not_async(activity: Activity, value: Any) -> Iterator[Fault]:
    if value not in (None, "", False, 0, "false", "False"):
        hint = "a step waits for its answer here; leave this out, or give branches with a SplitDecision"
        yield Fault(activity.name, "Input.isAsync", hint)


def _action_body(activity: Activity, value: Any) -> Iterator[Fault]:
    if not isinstance(value, dict) or not isinstance(value.get("Action"), str) or not value["Action"]:
        yield Fault(activity.name, "Input.body.Action", "the name of an API action is expected")


def _workflow_name(activity: Activity, value: Any) -> Iterator[Fault]:
    if not isinstance(value, str) or not value or _has_expr(value):
        yield Fault(activity.name, "Input.workflow", "the name of a workflow in this namespace is expected")


def _integer(field: str, least: int, most: int) -> Any:
    def look(activity: Activity, value: Any) -> Iterator[Fault]:
        if _has_expr(value):
            return
        try:
            number = fit(value, "INT64")
        except TypeFault:
            number = None
        if number is None or not least <= number <= most:
            yield Fault(activity.name, f"Input.{field}", f"a whole number from {least} to {most} is expected")

    return look


def _express(activity: Activity, value: Any) -> Iterator[Fault]:
    is_bool = activity.type == kinds.BOOL
    left = value.get("left") if is_bool and isinstance(value, dict) else value
    where = "Input.express.left" if is_bool else "Input.express"
    low = {key.lower(): one for key, one in left.items()} if isinstance(left, dict) else {}
    if "value" not in low or not isinstance(low.get("type", "STRING"), str):
        yield Fault(activity.name, where, "an object with name, type and value is expected")
    if is_bool and (not isinstance(value, dict) or value.get("operation") not in OPERATIONS):
        yield Fault(activity.name, "Input.express.operation", "EQ, LT or GT is expected")
    if is_bool and (not isinstance(value, dict) or "right" not in value):
        yield Fault(activity.name, "Input.express.right", "a value to compare with is expected")


def _cases(activity: Activity, value: Any) -> Iterator[Fault]:
    if not isinstance(value, list) or not all(isinstance(one, dict) and "value" in one for one in value):
        yield Fault(activity.name, "Input.cases", "a list of objects with value and next is expected")


def _branches(activity: Activity, value: Any) -> Iterator[Fault]:
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_BRANCHES:
        yield Fault(activity.name, "Input.branches", f"a list of 1 to {MOST_BRANCHES} steps is expected")


def _array(activity: Activity, value: Any) -> Iterator[Fault]:
    if not isinstance(value, list) and not _has_expr(value):
        yield Fault(activity.name, "Input.Value", "an array, or an expression that gives one, is expected")


_CHECKS: dict[tuple[str, str], Any] = {
    (kinds.HTTP, "url"): _url, (kinds.UHTTP, "url"): _url,
    (kinds.HTTP, "method"): _method, (kinds.UHTTP, "method"): _method,
    (kinds.HTTP, "query"): _object("query"), (kinds.HTTP, "header"): _object("header"),
    (kinds.UHTTP, "body"): _action_body,
    (kinds.HTTP, "isasync"): _not_async, (kinds.UHTTP, "isasync"): _not_async,
    (kinds.WORKFLOW, "workflow"): _workflow_name, (kinds.WORKFLOW, "input"): _object("input"),
    (kinds.BOOL, "express"): _express, (kinds.SWITCH, "express"): _express,
    (kinds.SWITCH, "cases"): _cases, (kinds.SPLIT, "branches"): _branches,
    (kinds.MERGE, "pass"): _integer("Pass", 1, MOST_BRANCHES),
    (kinds.WAIT, "delay"): _integer("delay", SHORTEST_DELAY, LONGEST_DELAY),
    (kinds.PLUS, "step"): _integer("step", -(2**53), 2**53), (kinds.PLUS, "init"): _integer("init", -(2**53), 2**53),
    (kinds.ITERATE, "value"): _array,
}  # fmt: skip


def _param(template: Template, activity: Activity | None, field: str, param: Param) -> Iterator[Fault]:
    found = list(expr.inside(param.value))
    for where, text in found:
        place = f"{field}.Value.{where}" if where else f"{field}.Value"
        yield from _text(template, activity, place, text, current=activity is not None)
    if not any(_has_expr(text) for _, text in found) and param.value not in (None, ""):
        try:
            fit(param.value, param.type)
        except TypeFault as fault:
            yield Fault(activity.name if activity else "", f"{field}.Value", str(fault))


def _text(template: Template, activity: Activity | None, field: str, text: str, *, current: bool) -> Iterator[Fault]:
    name = activity.name if activity else ""
    try:
        parsed = expr.parse(text)
    except expr.ExprError as fault:
        yield Fault(name, field, str(fault))
        return
    for ref in expr.refs(parsed):
        wrong = _ref(template, ref, current=current)
        if wrong:
            yield Fault(name, field, f"{ref}: {wrong}")


def _ref(template: Template, ref: Ref, *, current: bool) -> str:
    """What is wrong with a reference, or ""."""
    head, *rest = ref.path
    side = rest[0].lower() if rest else ""
    if head.lower() == "workflow":
        if side != "input" or len(rest) < 2:
            return "write ${workflow.input.Name}"
        declared = {one.name for one in template.inputs}
        return "" if rest[1] in declared else f"the workflow has no input {rest[1]!r}; declare it in Input"
    if head.lower() == "global":
        return "" if len(rest) == 2 else "write ${global.<NamespaceId>.<name>}"
    step = template.find(head)
    if step is None or side not in SIDES:
        if current:
            return ""
        return f"there is no step {head!r}" if side in SIDES else "only Output may look into the step's own answer"
    if len(rest) < 2:
        return f"name what of {head}.{side} is meant"
    if side == "input" or head == "end":
        return ""
    kind = KINDS.get(step.type)
    declared = {one.name for one in step.output or ()}
    if kind is None or kind.outputs is None or rest[1] in declared | kind.outputs:
        return ""
    return f"the step {head!r} declares no output {rest[1]!r}; declare it in its Output"


def _reached(template: Template) -> Iterator[Fault]:
    """Steps that nothing leads to, or that never come to an end."""
    after = {one.name: {str(name) for _, name in kinds.follows(one)} for one in template.activities}
    reached = _closure({"start"}, after)
    for name in sorted(after.keys() - reached):
        yield Fault(name, "Name", "no step leads here; connect it or take it out")
    before: dict[str, set[str]] = {name: set() for name in after}
    for name, followers in after.items():
        for follower in followers:
            before[follower].add(name)
    for name in sorted(reached - _closure({"end"}, before)):
        yield Fault(name, "Next", "from here no way leads to end; let one do so")


def _closure(found: set[str], ways: dict[str, set[str]]) -> set[str]:
    fresh = set(found)
    while fresh:
        fresh = {name for one in fresh for name in ways[one]} - found
        found |= fresh
    return found
