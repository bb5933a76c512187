"""The explorer's form of an action, printed from its declaration, and the parameters that a filled form says."""

from collections.abc import Mapping
from typing import NamedTuple

from entrepot.api.declare import Action, Field, fields
from entrepot.api.docs import plain_type

PREFIX = "p."
"""Parameters stand in the form under this, so that none can be taken for a field of ours."""
SECRET = "Password"  # noqa: S105 - the ending of a name
HIDDEN = "YOUR_PASSWORD"
ROWS = 100
"""Most rows of one list in the form; the API takes more."""


class Input(NamedTuple):
    """One input: ``kind`` is text, number, secret, long or pick (out of ``options``)."""

    name: str
    kind: str
    value: str
    options: tuple[tuple[str, str], ...]


class Line(NamedTuple):
    """A parameter: its documentation, and one input, or for a list one for each row that is there."""

    name: str
    is_list: bool
    is_required: bool
    type: str
    text: str
    default: str
    example: str
    inputs: tuple[Input, ...]


class Picks(NamedTuple):
    """What pick lists offer: (value, label) each."""

    regions: tuple[tuple[str, str], ...]
    zones: tuple[tuple[str, str], ...]
    projects: tuple[tuple[str, str], ...]


def given(source: Mapping[str, str]) -> dict[str, str]:
    """The parameters that a form or query fills in. A blank one is not sent, a blank row of a list is."""
    found = {name[len(PREFIX) :]: value for name, value in source.items() if name.startswith(PREFIX)}
    return {name: value for name, value in found.items() if value or _row(name)}


def _row(name: str) -> bool:
    return name.rpartition(".")[2].isdigit() and "." in name


def printed(shown: list[Line], params: Mapping[str, str]) -> dict[str, str]:
    """What the form would send, as it may be printed: a pick list has a value at once, passwords are placeholders."""
    found = {}
    for line in shown:
        for one in line.inputs:
            name = one.name[len(PREFIX) :]
            value = HIDDEN if one.kind == "secret" and name in params else one.value
            if value or line.is_list:
                found[name] = value
    return found


def lines(action: Action, params: Mapping[str, str], picks: Picks, lang: str, change: str = "") -> list[Line]:
    """The form. ``change``: ``add:Tag`` gives a list one more row, ``drop:Tag.1`` takes one out."""
    return [_line(field, params, picks, lang, change) for field in fields(action.request)]


def _line(field: Field, params: Mapping[str, str], picks: Picks, lang: str, change: str) -> Line:
    options = _options(field, picks)
    kind = _kind(field, options)
    if field.is_list:
        values = _rows(field, params, change)
        names = [f"{PREFIX}{field.name}.{place}" for place in range(len(values))]
    else:
        values = [params.get(field.name, _first(field, options))]
        names = [PREFIX + field.name]
    default = "" if field.default is None else str(getattr(field.default, "value", field.default))
    plain = plain_type(field)
    return Line(
        name=field.name,
        is_list=field.is_list,
        is_required=field.required,
        type=f"{plain}[]" if field.is_list else plain,
        text=field.zh if lang == "zh" else field.en,
        default="" if field.is_list else default,
        example="" if field.example is None else str(field.example),
        inputs=tuple(
            Input(name, kind, "" if kind == "secret" else value, options)
            for name, value in zip(names, values, strict=True)
        ),
    )


def _rows(field: Field, params: Mapping[str, str], change: str) -> list[str]:
    rows = {}
    for name, value in params.items():
        head, _, place = name.rpartition(".")
        if head == field.name and place.isdigit() and len(place) < 7:
            rows[int(place)] = value
    verb, _, what = change.partition(":")
    if verb == "drop" and what.rpartition(".")[0] == field.name and what.rpartition(".")[2].isdigit():
        rows.pop(int(what.rpartition(".")[2][:6]), None)
    values = [rows[place] for place in sorted(rows)][:ROWS]
    if (verb == "add" and what == field.name and len(values) < ROWS) or (field.required and not values):
        values.append("")
    return values


def _options(field: Field, picks: Picks) -> tuple[tuple[str, str], ...]:
    if field.choices:
        return tuple((one, one) for one in field.choices)
    if field.type is bool:
        return (("true", "true"), ("false", "false"))
    known = {"Region": picks.regions, "Zone": picks.zones, "ProjectId": picks.projects, "ProjectID": picks.projects}
    return known.get(field.name, ())


def _first(field: Field, options: tuple[tuple[str, str], ...]) -> str:
    return options[0][0] if field.required and options else ""


def _kind(field: Field, options: tuple[tuple[str, str], ...]) -> str:
    if options:
        return "pick"
    if field.name.endswith(SECRET):
        return "secret"
    if "Document" in field.name or field.name == "Policy":
        return "long"
    return "number" if field.type is int else "text"
