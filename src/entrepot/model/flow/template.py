"""Workflow templates as UCloud's StepFlow writes them: from JSON to typed parts, and back to the same JSON."""

import json
from typing import Any, NamedTuple

from entrepot.model.flow.types import TYPES, is_type

TEMPLATE_BYTES = 262_144
MOST_ACTIVITIES = 200
MOST_PARAMS = 200
DEPTH = 32
"""How deep JSON of a template may be nested."""
TIMEOUT = 600_000
"""Milliseconds that an activity with ``Timeout`` 0 may take."""
LONGEST_TIMEOUT = 86_400_000
MOST_RETRIES = 20

Json = Any


class Fault(NamedTuple):
    """One thing that is wrong: in which activity ("" for the template), in which field, and what would be right."""

    activity: str
    field: str
    message: str

    def __str__(self) -> str:
        where = f"{self.activity}.{self.field}" if self.activity else self.field
        return f"{where}: {self.message}"


class TemplateError(Exception):
    """A template that cannot be used, with everything that is wrong with it."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = faults


class Param(NamedTuple):
    """A named and typed value; ``value`` may be text with expressions in it."""

    name: str
    type: str
    value: Json = None
    constrain: Json = None


class Activity(NamedTuple):
    """One step. ``timeout`` in milliseconds, 0 for the default; ``input`` as each type defines it."""

    name: str
    type: str
    next: str = ""
    retry_times: int = 0
    timeout: int = 0
    input: dict[str, Json] | None = None
    output: tuple[Param, ...] | None = None

    def given(self, key: str, default: Json = None) -> Json:
        """A field of the input, whatever the case of its name: documents and consoles differ in it."""
        wanted = key.lower()
        return next((value for name, value in (self.input or {}).items() if name.lower() == wanted), default)


class Template(NamedTuple):
    """A workflow: what it takes, what it answers, and its steps."""

    inputs: tuple[Param, ...] = ()
    outputs: tuple[Param, ...] = ()
    activities: tuple[Activity, ...] = ()

    def find(self, name: str) -> Activity | None:
        """A step by name."""
        return next((one for one in self.activities if one.name == name), None)


def parse(text: bytes | str) -> Template:
    """Read a template; ``Activities`` and the misspelt ``Activites`` mean the same. Raises TemplateError."""
    if len(text) > TEMPLATE_BYTES:
        raise TemplateError([Fault("", "Workflow", f"a template holds at most {TEMPLATE_BYTES} bytes")])
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as fault:
        raise TemplateError([Fault("", "Workflow", f"this is no JSON: {fault}")]) from fault
    return read(value)


def read(value: Json) -> Template:
    """A template from decoded JSON. Raises TemplateError with every fault of its shape."""
    faults: list[Fault] = []
    if not isinstance(value, dict):
        raise TemplateError([Fault("", "Workflow", "a JSON object with Input, Output and Activities is expected")])
    if too_deep(value, DEPTH):
        raise TemplateError([Fault("", "Workflow", f"at most {DEPTH} levels of nesting are accepted")])
    _known(value, {"Input", "Output", "Activities", "Activites"}, "", "", faults)
    inputs = _params(value.get("Input"), "", "Input", faults) or ()
    outputs = _params(value.get("Output"), "", "Output", faults) or ()
    listed = _listed(value, faults)
    activities = tuple(
        _activity(one, place, faults)
        for place, one in enumerate(listed[:MOST_ACTIVITIES])
        if _is_object(one, place, faults)
    )
    if len(listed) > MOST_ACTIVITIES:
        faults.append(Fault("", "Activities", f"at most {MOST_ACTIVITIES} activities"))
    if faults:
        raise TemplateError(faults)
    return Template(inputs, outputs, activities)


def write(template: Template) -> dict[str, Json]:
    """The JSON of a template, under the names that the documents use."""
    return {
        "Input": [_param_json(one) for one in template.inputs],
        "Output": [_param_json(one) for one in template.outputs],
        "Activities": [
            {
                "Name": one.name,
                "Type": one.type,
                "Next": one.next,
                "RetryTimes": one.retry_times,
                "Timeout": one.timeout,
                "Input": one.input,
                "Output": None if one.output is None else [_param_json(param) for param in one.output],
            }
            for one in template.activities
        ],
    }


def too_deep(value: Json, levels: int) -> bool:
    """Whether JSON is nested deeper than this many levels."""
    if levels < 0:
        return True
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(too_deep(one, levels - 1) for one in inside)


def _param_json(param: Param) -> dict[str, Json]:
    return {"Name": param.name, "Type": param.type, "Value": param.value, "Constrain": param.constrain}


def _listed(value: dict[str, Json], faults: list[Fault]) -> list[Json]:
    both = [value[name] for name in ("Activities", "Activites") if value.get(name) is not None]
    if not both or not isinstance(both[0], list):
        faults.append(Fault("", "Activities", "a list of activities is expected"))
        return []
    if len(both) == 2 and both[1] not in ([], both[0]):
        faults.append(Fault("", "Activites", "this is another spelling of Activities: give one of them, or both alike"))
    listed: list[Json] = both[0] or both[-1]
    return listed


def _is_object(value: Json, place: int, faults: list[Fault]) -> bool:
    if not isinstance(value, dict):
        faults.append(Fault("", f"Activities.{place}", "an object with Name and Type is expected"))
    return isinstance(value, dict)


def _activity(value: dict[str, Json], place: int, faults: list[Fault]) -> Activity:
    name = _text(value, "Name", f"#{place}", faults) or f"#{place}"
    _known(value, {"Name", "Type", "Next", "RetryTimes", "Timeout", "Input", "Output"}, name, "", faults)
    given = value.get("Input")
    if given is not None and not isinstance(given, dict):
        faults.append(Fault(name, "Input", "an object or null is expected"))
        given = None
    return Activity(
        name,
        _text(value, "Type", name, faults),
        _text(value, "Next", name, faults, ""),
        _number(value, "RetryTimes", name, faults, MOST_RETRIES),
        _number(value, "Timeout", name, faults, LONGEST_TIMEOUT),
        given,
        _params(value.get("Output"), name, "Output", faults),
    )


def _params(value: Json, activity: str, field: str, faults: list[Fault]) -> tuple[Param, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > MOST_PARAMS:
        faults.append(Fault(activity, field, f"a list of at most {MOST_PARAMS} objects with Name and Type is expected"))
        return None
    found = []
    for place, one in enumerate(value):
        where = f"{field}.{place}"
        if not isinstance(one, dict):
            faults.append(Fault(activity, where, "an object with Name and Type is expected"))
            continue
        _known(one, {"Name", "Type", "Value", "Constrain"}, activity, where, faults)
        name = _text(one, "Name", activity, faults, field=f"{where}.Name")
        kind = _text(one, "Type", activity, faults, field=f"{where}.Type")
        if kind and not is_type(kind):
            faults.append(
                Fault(activity, f"{where}.Type", f"{kind!r} is no type; known are {', '.join(sorted(TYPES))}")
            )
        found.append(Param(name, kind, one.get("Value"), one.get("Constrain")))
    twice = {one.name for one in found if [other.name for other in found].count(one.name) > 1}
    faults += [Fault(activity, field, f"{name!r} is there twice") for name in sorted(twice)]
    return tuple(found)


def _known(value: dict[str, Json], names: set[str], activity: str, where: str, faults: list[Fault]) -> None:
    for name in sorted(value.keys() - names):
        field = f"{where}.{name}" if where else name
        faults.append(Fault(activity, field, f"this field is not known; known are {', '.join(sorted(names))}"))


def _text(
    value: dict[str, Json], key: str, activity: str, faults: list[Fault], default: str | None = None, field: str = ""
) -> str:
    found = value.get(key, default)
    if found is None:
        found = default
    if not isinstance(found, str) or (default is None and not found):
        faults.append(Fault(activity, field or key, "a text is expected"))
        return ""
    return found


def _number(value: dict[str, Json], key: str, activity: str, faults: list[Fault], most: int) -> int:
    found = value.get(key)
    if found is None:
        return 0
    if isinstance(found, str) and found.isascii() and found.isdecimal() and len(found) < 12:
        found = int(found)  # one SDK writes these numbers as text
    if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found <= most:
        faults.append(Fault(activity, key, f"a whole number from 0 to {most} is expected"))
        return 0
    return found
