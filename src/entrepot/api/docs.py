"""Print the documentation pages of the actions, in Chinese and English, with the sections that UCloud's pages have."""

import json
from collections.abc import Mapping
from typing import Any

from entrepot.api.declare import Action, Field, Model, Request, fields
from entrepot.api.doc_words import WORDS, Words
from entrepot.api.everything import ACTIONS
from entrepot.api.samples import samples


def pages() -> dict[str, str]:
    """Every page by its path: api/<lang>/<Action>.md, and an index for each language."""
    made = {f"api/samples/{action.name}.md": samples_page(action) for action in ACTIONS.values()}
    for lang, words in WORDS.items():
        for action in ACTIONS.values():
            made[f"api/{lang}/{action.name}.md"] = page(action, lang)
        made[f"api/{lang}/README.md"] = _index(words, lang)
    return made


def page(action: Action, lang: str) -> str:
    """One action's page."""
    words = WORDS[lang]
    title = action.title if lang == "zh" else action.en.partition("\n")[0].rstrip(".")
    parts = [
        f"# {title} - {action.name}",
        f"## {words.intro}\n\n{_intro(action, lang)}",
        f"## {words.usage}\n\n{words.usage_text.format(name=action.name)}",
        f"## {words.definition}\n\n### {words.public}\n\n{_table(words, _public(action, words))}",
        f"### {words.request}\n\n{_table(words, _rows(fields(action.request), lang, sent=True)) or words.none}",
    ]
    answer = _answer_rows(words) + _rows(fields(action.request.returns), lang)
    parts.append(f"### {words.response}\n\n{_table(words, answer, head=words.fields)}")
    models = models_of(action.request.returns)
    if models:
        parts.append(f"#### {words.models}")
    parts += [f"#### {one.__name__}\n\n{_table(words, _rows(fields(one), lang), head=words.fields)}" for one in models]
    parts.append(f"## {words.example}\n\n### {words.example_request}\n\n```\n{_example_request(action)}\n```")
    parts.append(f"### {words.example_response}\n\n```json\n{example_text(action)}\n```")
    parts.append(words.samples.format(name=action.name))
    return "\n\n".join(parts) + "\n"


def _intro(action: Action, lang: str) -> str:
    words = WORDS[lang]
    text = action.zh if lang == "zh" else " ".join(action.en.split())
    right = words.needs.format(right=action.needs) if action.needs else words.any_login
    return f"{text}\n\n{right}"


def _public(action: Action, words: Words) -> list[str]:
    action_text = words.action.format(name=action.name)
    rows = [("Action", action_text), ("PublicKey", words.public_key), ("Signature", words.signature)]
    return [f"| **{name}** | string | {text} | **Yes** |" for name, text in rows]


def _answer_rows(words: Words) -> list[str]:
    return [
        f"| **RetCode** | int | {words.ret_code} | **Yes** |",
        f"| **Action** | string | {words.action_name} | **Yes** |",
        f"| **Message** | string | {words.message} | No |",
    ]


def _rows(listed: list[Field], lang: str, *, sent: bool = False) -> list[str]:
    """Table rows; a list that is sent is written Name.N, as a form carries it."""
    rows = []
    for field in listed:
        name = f"{field.name}.N" if field.is_list and sent else field.name
        kind = type_name(field._replace(is_list=field.is_list and not sent))
        text = field.zh if lang == "zh" else field.en
        rows.append(f"| **{name}** | {kind} | {text} | {'**Yes**' if field.required else 'No'} |")
    return rows


def type_name(field: Field) -> str:
    """The type as the pages write it."""
    if isinstance(field.type, type) and issubclass(field.type, Model):
        name = field.type.__name__
        return f"array[[*{name}*](#{name})]" if field.is_list else f"[*{name}*](#{name})"
    plain = plain_type(field)
    return f"array[{plain}]" if field.is_list else plain


def plain_type(field: Field) -> str:
    """What a field, or each of its list, is: string, int, bool, float, or any for any JSON."""
    return {str: "string", int: "int", bool: "bool", float: "float"}.get(field.type, "any")


def _table(words: Words, rows: list[str], head: str | None = None) -> str:
    if not rows:
        return ""
    return "\n".join([head or words.params, "|:---|:---|:---|:---|", *rows])


def models_of(response: type[Any]) -> list[type[Model]]:
    """The models inside an answer, the outer ones first."""
    found: list[type[Model]] = []
    for field in fields(response):
        if isinstance(field.type, type) and issubclass(field.type, Model):
            found += [field.type, *models_of(field.type)]
    return list(dict.fromkeys(found))


def example_params(request: type[Request]) -> dict[str, str]:
    """The required parameters with their example values."""
    found = {}
    for field in fields(request):
        if field.required:
            found[f"{field.name}.0" if field.is_list else field.name] = str(field.example)
    return found


def _example_request(action: Action) -> str:
    lines = [f"http://hub.example.com:5000/?Action={action.name}"]
    lines += [f"&{name}={value}" for name, value in example_params(action.request).items()]
    return "\n".join(lines)


def example_text(action: Action) -> str:
    """An answer with the example values, as JSON."""
    body = {"Action": f"{action.name}Response", **_example(action.request.returns), "RetCode": 0, "Message": ""}
    return json.dumps(body, indent=2, ensure_ascii=False)


def _example(struct: type[Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for field in fields(struct):
        is_model = isinstance(field.type, type) and issubclass(field.type, Model)
        value = _example(field.type) if is_model else field.example
        made[field.name] = [value] if field.is_list else value
    return made


def samples_page(action: Action) -> str:
    """The call in every language, with the example values of the required parameters."""
    parts = [f"# {action.name}"]
    parts += [
        f"## {sample.title}\n\n```{sample.language}\n{sample.text}```"
        for sample in samples(action.name, example_params(action.request))
    ]
    return "\n\n".join(parts) + "\n"


def coverage_page(clients: Mapping[str, list[str]]) -> str:
    """Each action with its fields and the clients that exercised it; ``clients``: action -> names, from test runs."""
    lines = [
        "# API coverage",
        "",
        "Every action of this hub. The last column holds the clients whose test runs called it, unchanged; it is",
        "written from the hub's own log of those runs (`tests/sdks`).",
        "",
        "| Action | Product | Request fields | Response fields | Exercised by |",
        "|:---|:---|:---|:---|:---|",
    ]
    for name, action in sorted(ACTIONS.items(), key=lambda item: (item[1].group, item[0])):
        sent = [f"**{one.name}**" if one.required else one.name for one in fields(action.request)]
        answered = [one.name for one in fields(action.request.returns)]
        used = ", ".join(sorted(clients.get(name, [])))
        lines.append(f"| {name} | {action.group} | {', '.join(sent)} | {', '.join(answered)} | {used} |")
    return "\n".join(lines) + "\n"


def _index(words: Words, lang: str) -> str:
    lines = [f"# {words.contents}", ""]
    for group in dict.fromkeys(action.group for action in ACTIONS.values()):
        lines += [f"## {group}", "", words.index_head, "|:---|:---|"]
        for action in ACTIONS.values():
            if action.group == group:
                text = action.title if lang == "zh" else action.en.partition("\n")[0]
                lines.append(f"| [{action.name}]({action.name}.md) | {text} |")
        lines.append("")
    return "\n".join(lines)
