"""The API explorer, at UCloud's paths: the catalogue, and each action with form, documentation, answer and samples.

It calls as the person who is signed in. Private keys never come here: the signature is shown with a placeholder, and
who wants the real one computes it in the browser, from a key that does not leave it.
"""

import json
from typing import Any, NamedTuple

import msgspec

from entrepot.api import samples as printed
from entrepot.api.declare import ACTIONS, Action, Field, Model, fields
from entrepot.api.docs import example_text, models_of, plain_type
from entrepot.api.samples import samples
from entrepot.console import faults, forms
from entrepot.console.pages import Nav, page
from entrepot.console.visit import Shown, Visit
from entrepot.errors import HubError, Kind
from entrepot.model import signing

CATALOGUE = "/uapi/ucloudapi"
_FIRST = ("UGC", "UHub", "UAccount", "IAM", "STS")


@page(CATALOGUE, nav=Nav("API explorer", "API 浏览器", "code", 70))
async def show_all(visit: Visit) -> Shown:
    """Actions by group, found by a part of their name or of a word in either language."""
    wanted = visit.query.get("q", "").strip().lower()[:100]
    group = visit.query.get("group", "")
    found: dict[str, list[Action]] = {}
    for one in ACTIONS.values():
        text = f"{one.name} {one.en} {one.title} {one.zh}".lower()
        if (not group or one.group == group) and all(word in text for word in wanted.split()):
            found.setdefault(one.group, []).append(one)
    groups = list(dict.fromkeys([*_FIRST, *(one.group for one in ACTIONS.values())]))
    return Shown(
        "catalogue.html",
        {
            "found": {one: found[one] for one in groups if one in found},
            "groups": groups,
            "group": group,
            "count": len(ACTIONS),
        },
    )


class Answer(NamedTuple):
    """What a call answered: RetCode, the JSON, the request's number, and a refusal explained."""

    code: int
    text: str
    request_id: str
    explained: faults.Explained | None
    warnings: list[str]


async def _post(visit: Visit) -> Shown:
    """Send, or only print anew what follows from the form."""
    action = _action(visit)
    answer = None
    if visit.form.get("do") == "send":
        if not action.safe and not visit.form.get("confirm"):
            raise HubError(
                Kind.BAD_REQUEST,
                visit.say(
                    "this call changes something: tick the box above the button to send it",
                    "该调用会产生更改：请先勾选按钮上方的确认框",
                ),
            )
        answer = await _send(visit, action, forms.given(visit.form))
    return await _page(visit, action, answer)


@page("/uapi/detail", section=CATALOGUE, post=_post)
async def show_one(visit: Visit) -> Shown:
    """The form, filled from the query where that names parameters."""
    return await _page(visit, _action(visit), None)


def _action(visit: Visit) -> Action:
    action = ACTIONS.get(visit.query.get("id", ""))
    if action is None:
        raise HubError(Kind.UNKNOWN_ACTION, visit.query.get("id", "")[:60])
    return action


async def _send(visit: Visit, action: Action, params: dict[str, str]) -> Answer:
    number = visit.hub.new_id()
    head: dict[str, Any] = {"RetCode": 0, "Action": f"{action.name}Response", "Message": ""}
    explained = None
    try:
        head |= msgspec.to_builtins(await visit.run(action.name, params))
    except HubError as fault:
        head |= {"RetCode": fault.kind.row.ret_code, "Message": fault.message}
        explained = faults.explain(fault, visit.lang)
    return Answer(head["RetCode"], json.dumps(head, indent=2, ensure_ascii=False), number, explained, visit.warnings)


async def _page(visit: Visit, action: Action, answer: Answer | None) -> Shown:
    source = visit.form or visit.query
    params = forms.given(source)
    keys = await visit.tried("ListAccessKeys", UserName=visit.me.user_name)
    projects = await visit.run("GetProjectList")
    lines = forms.lines(action, params, _picks(visit, projects.project_set), visit.lang, visit.form.get("do", ""))
    shown = forms.printed(lines, params)
    known = [one.access_key_id for one in keys.access_key] if keys else []
    public_key = source.get("key", "") if source.get("key", "") in known else ""
    return Shown(
        "detail.html",
        {
            "action": action,
            "lines": lines,
            "keys": known,
            "public_key": public_key,
            "samples": samples(action.name, shown, visit.base_url),
            "steps": _steps(action, shown, public_key or printed.PUBLIC_KEY),
            "answer": answer,
            "response": [*fields(action.request.returns)],
            "models": [(one.__name__, fields(one)) for one in models_of(action.request.returns)],
            "example": example_text(action),
            "type_of": _type_of,
            "is_confirmed": bool(visit.form.get("confirm")) and answer is None,
        },
        200,
    )


def _picks(visit: Visit, projects: list[Any]) -> forms.Picks:
    settings = visit.hub.settings
    regions = sorted(settings.region_ids, key=lambda one: one != settings.default_region)
    return forms.Picks(
        regions=tuple((one, one) for one in regions),
        zones=tuple((f"{one}-01", f"{one}-01") for one in regions),
        projects=tuple((one.project_id, f"{one.project_name} ({one.project_id})") for one in projects),
    )


class Steps(NamedTuple):
    """The signature, step by step."""

    ordered: list[tuple[str, str]]
    canonical: str
    private_key: str
    signature: str


def _steps(action: Action, params: dict[str, str], public_key: str) -> Steps:
    full = {"Action": action.name, **params, "PublicKey": public_key}
    ordered = sorted(full.items(), key=lambda one: one[0].encode())
    key = printed.PRIVATE_KEY
    return Steps(ordered, signing.canonical(full), key, signing.sign(full, key))


def _type_of(field: Field) -> tuple[str, str]:
    """(how a field's type is written, the model that it links to or "")."""
    is_model = isinstance(field.type, type) and issubclass(field.type, Model)
    plain = field.type.__name__ if is_model else plain_type(field)
    return (f"{plain}[]" if field.is_list else plain), (field.type.__name__ if is_model else "")
