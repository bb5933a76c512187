"""How an action is declared: once, as a typed struct. Everything else is printed or decoded from it.

``@action`` files a Request subclass in ACTIONS. Attributes are snake_case and PascalCase on the wire. A field's
``doc`` holds its text in both languages and an example.
"""

import enum
import functools
import re
import types
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from entrepot.errors import HubError, Kind
from entrepot.model.signing import Number

_INDEXED = re.compile(r"(.+)\.(\d{1,6})")


def wire_name(name: str) -> str:
    """bucket_name -> BucketName."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def doc(en: str, zh: str, *, eg: Any = None, blank: str = "absent", **limits: Any) -> msgspec.Meta:
    """What a field means, in both languages, with an example and, if any, its bounds.

    ``blank``: what a value is that is there but empty: "absent" (as if it were not sent), "refused", or "kept" (the
    empty text is meant).
    """
    examples = None if eg is None else [eg]
    return msgspec.Meta(description=en, examples=examples, extra={"zh": zh, "blank": blank}, **limits)


class Request(msgspec.Struct, kw_only=True, frozen=True, rename=wire_name):
    """The parameters of an action. A field without a default is required."""

    returns: ClassVar[type["Response"]]


class Model(msgspec.Struct, kw_only=True, frozen=True, rename=wire_name):
    """A data model inside an answer."""


class Response(Model, frozen=True):
    """The fields of an answer beside RetCode, Action and Message. Arrays are never null."""


class Field(NamedTuple):
    """A field as the printers see it. ``type`` is string, int, bool or a Model; ``choices`` the values of an enum."""

    name: str
    type: Any
    is_list: bool
    required: bool
    default: Any
    en: str
    zh: str
    example: Any
    choices: tuple[str, ...]


class Action(NamedTuple):
    """A declared action.

    ``needs`` is the right it takes ("" any login); ``safe`` ones change nothing; ``in_project`` ones ask sub-users
    for a ProjectId, as UCloud does; ``by_project`` ones list across projects, and show who may call them in some
    projects only what is there.
    """

    name: str
    request: type[Request]
    group: str
    needs: str
    safe: bool
    title: str
    en: str
    zh: str
    in_project: bool
    by_project: bool

    @property
    def policy_name(self) -> str:
        """How policies name it."""
        return f"{self.group.lower()}:{self.name}"


ACTIONS: dict[str, Action] = {}
R = TypeVar("R", bound=type[Request])


def action(
    *, group: str, needs: str, safe: bool, title: str, zh: str, in_project: bool = False, by_project: bool = False
) -> Callable[[R], R]:
    """File a Request under its class name. ``title`` is its Chinese heading; the docstring is its English text."""

    def register(request: R) -> R:
        name = request.__name__
        assert name not in ACTIONS, f"{name} is declared twice"
        text = (request.__doc__ or "").strip()
        ACTIONS[name] = Action(name, request, group, needs, safe, title, text, zh, in_project, by_project)
        return request

    return register


def fields(struct: type[msgspec.Struct]) -> list[Field]:
    """The fields of a Request, Response or Model in their order."""
    hints = get_type_hints(struct, include_extras=True)
    found = []
    for info in msgspec.structs.fields(struct):
        bare, meta = unwrap(hints[info.name])
        is_list = get_origin(bare) is list
        if is_list:
            bare, inner = unwrap(get_args(bare)[0])
            meta = meta or inner
        choices = tuple(one.value for one in bare) if isinstance(bare, type) and issubclass(bare, enum.Enum) else ()
        found.append(
            Field(
                info.encode_name,
                str if choices else bare,
                is_list,
                info.required,
                None if info.required else info.default,
                (meta.description or "") if meta else "",
                (meta.extra or {}).get("zh", "") if meta else "",
                meta.examples[0] if meta and meta.examples else None,
                choices,
            )
        )
    return found


def unwrap(hint: Any) -> tuple[Any, msgspec.Meta | None]:
    """The bare type and its Meta; ``X | None`` counts as X."""
    meta: msgspec.Meta | None = None
    while True:
        if get_origin(hint) is Annotated:
            hint, *notes = get_args(hint)
            for note in notes:
                if isinstance(note, msgspec.Meta) and note.description:
                    meta = note
        elif get_origin(hint) in {Union, types.UnionType}:
            hint = next(one for one in get_args(hint) if one is not type(None))
        else:
            return hint, meta


class _Param(NamedTuple):
    """A field as decode needs it; ``blank`` as in ``doc``."""

    attribute: str
    name: str
    hint: Any
    is_list: bool
    required: bool
    blank: str
    is_bool: bool


_BOOLEANS = {"yes": "true", "no": "false"}
"""What some clients write; true, True and 1 (and their opposites) are known to the decoder."""


@functools.cache
def _plan(request: type[Request]) -> tuple[_Param, ...]:
    """The fields of a request: reading annotations costs more than a whole call does otherwise."""
    hints = get_type_hints(request, include_extras=True)
    made = []
    for info in msgspec.structs.fields(request):
        bare, meta = unwrap(hints[info.name])
        blank = str((meta.extra or {}).get("blank", "absent")) if meta else "absent"
        is_list = get_origin(bare) is list
        made.append(_Param(info.name, info.encode_name, hints[info.name], is_list, info.required, blank, bare is bool))
    return tuple(made)


def decode(request: type[Request], params: Mapping[str, Any]) -> Request:
    """Received parameters as a Request; unknown ones are ignored, because SDKs inject some into every call.

    Blank values of optional fields count as absent. Raises MISSING_PARAM and BAD_PARAM with the field's wire name.
    """
    lists = _indexed(params)
    values: dict[str, Any] = {}
    for param in _plan(request):
        name = param.name
        value = _list_value(params.get(name), lists.get(name)) if param.is_list else _text(params.get(name), name)
        if param.blank == "refused" and (value == "" or (value is None and name in params)):
            raise HubError(Kind.BAD_PARAM, name)
        if param.is_bool and value is not None:
            value = _BOOLEANS.get(str(value).lower(), value)
        if value is None or (value == "" and param.blank == "absent" and not param.required):
            if param.required:
                raise HubError(Kind.MISSING_PARAM, f"{name}.N" if param.is_list else name)
            continue
        try:
            values[param.attribute] = msgspec.convert(value, param.hint, strict=False)
        except (msgspec.ValidationError, ValueError) as fault:
            raise HubError(Kind.BAD_PARAM, name) from fault
    return request(**values)


def _indexed(params: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Tag.0, Tag.2, Tag.10 -> Tag: values in the order of their numbers; gaps are no error."""
    found: dict[str, dict[int, Any]] = {}
    for key, value in params.items():
        if match := _INDEXED.fullmatch(key):
            found.setdefault(match[1], {})[int(match[2])] = value
    return {name: [items[place] for place in sorted(items)] for name, items in found.items()}


def _list_value(whole: Any, parts: list[Any] | None) -> list[Any] | None:
    if parts is not None:
        whole = parts
    if whole is None:
        return None
    if isinstance(whole, str):
        whole = [whole] if whole else []
    if not isinstance(whole, list):
        raise HubError(Kind.BAD_PARAM, "a list was expected")
    return [_text(one, "list item") for one in whole]


def _text(value: Any, name: str) -> str | None:
    """Every scalar as the text that a form would carry."""
    if isinstance(value, Number):
        return value.plain
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, str):
        return value
    raise HubError(Kind.BAD_PARAM, name)
