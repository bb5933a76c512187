"""The management API as OpenAPI 3.1: one path, because the parameter Action tells the calls apart."""

import enum
import json
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from entrepot import __version__
from entrepot.api import docs  # noqa: F401 - with it every declaration is filed
from entrepot.api.declare import ACTIONS, Action, fields, unwrap

TYPES = {str: "string", int: "integer", bool: "boolean", float: "number"}
ABOUT = (
    "UCloud's OpenAPI as this hub speaks it. Every call is a GET or POST to one path; the parameter Action names it. "
    "Parameters stand in the query, a form, or a JSON object. Signature is the lower-case hex SHA-1 of all other "
    "parameters sorted by name, names and values run together, and the private key behind. Answers are HTTP 200; "
    "RetCode 0 is success."
)


def document() -> dict[str, Any]:
    """The whole description."""
    schemas: dict[str, Any] = {}
    for action in ACTIONS.values():
        schemas[f"{action.name}Request"] = _request(action)
        schemas[f"{action.name}Response"] = _response(action, schemas)
    schemas["Refusal"] = _object(
        {
            "RetCode": {"type": "integer", "not": {"const": 0}},
            "Action": {"type": "string"},
            "Message": {"type": "string"},
        },
        ["RetCode", "Action", "Message"],
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "Entrepot management API", "version": __version__, "description": ABOUT},
        "paths": {path: {"post": _operation(path)} for path in ("/", "/api")},
        "components": {"schemas": schemas},
    }


def text() -> str:
    """The description as it is written to docs/openapi.json."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def _operation(path: str) -> dict[str, Any]:
    requests = [{"$ref": f"#/components/schemas/{name}Request"} for name in ACTIONS]
    answers = [{"$ref": f"#/components/schemas/{name}Response"} for name in ACTIONS]
    mapping = {name: f"#/components/schemas/{name}Request" for name in ACTIONS}
    body = {"schema": {"oneOf": requests, "discriminator": {"propertyName": "Action", "mapping": mapping}}}
    return {
        "operationId": "call" if path == "/" else "callApi",
        "summary": "Call an action",
        "requestBody": {
            "required": True,
            "content": {"application/json": body, "application/x-www-form-urlencoded": body},
        },
        "responses": {
            "200": {
                "description": "The answer of the action, or a refusal",
                "headers": {
                    "X-UCLOUD-REQUEST-UUID": {"schema": {"type": "string", "format": "uuid"}, "required": True},
                },
                "content": {
                    "application/json": {"schema": {"anyOf": [{"$ref": "#/components/schemas/Refusal"}, *answers]}}
                },
            }
        },
    }


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required}


def _request(action: Action) -> dict[str, Any]:
    hints = get_type_hints(action.request, include_extras=True)
    properties: dict[str, Any] = {"Action": {"const": action.name, "description": action.en.partition("\n")[0]}}
    required = ["Action", "PublicKey", "Signature"]
    for info in msgspec.structs.fields(action.request):
        properties[info.encode_name] = _parameter(hints[info.name])
        if not info.required and isinstance(info.default, str | int | enum.Enum):
            properties[info.encode_name]["default"] = getattr(info.default, "value", info.default)
        if info.required:
            required.append(info.encode_name)
    properties["PublicKey"] = {"type": "string"}
    properties["Signature"] = {"type": "string", "pattern": "^[0-9a-f]{40}$"}
    properties["SecurityToken"] = {"type": "string", "description": "Of a temporary key (AssumeRole)"}
    return {**_object(properties, required), "title": action.name, "x-product": action.group, "x-right": action.needs}


def _parameter(hint: Any) -> dict[str, Any]:
    bare, meta = unwrap(hint)
    schema: dict[str, Any]
    if get_origin(bare) is list:
        inner, inner_meta = unwrap(get_args(bare)[0])
        meta = meta or inner_meta
        schema = {"type": "array", "items": _scalar(inner)}
    else:
        schema = _scalar(bare)
    if meta is not None:
        schema |= {"description": meta.description, "examples": meta.examples or []}
        for key, name in (("ge", "minimum"), ("le", "maximum"), ("max_length", "maxLength")):
            if getattr(meta, key) is not None:
                schema[name] = getattr(meta, key)
    return schema


def _scalar(bare: Any) -> dict[str, Any]:
    if isinstance(bare, type) and issubclass(bare, enum.Enum):
        return {"type": "string", "enum": [one.value for one in bare]}
    return {"type": TYPES[bare]}


def _response(action: Action, schemas: dict[str, Any]) -> dict[str, Any]:
    made = _model(action.request.returns, schemas)
    made["properties"] = {
        "RetCode": {"const": 0},
        "Action": {"const": f"{action.name}Response"},
        "Message": {"type": "string"},
        **made["properties"],
    }
    made["required"] = ["RetCode", "Action", "Message", *made["required"]]
    return made


def _model(struct: type[msgspec.Struct], schemas: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for field in fields(struct):
        schema: dict[str, Any] = {}  # of any type
        if field.type in TYPES:
            schema = {"type": TYPES[field.type]}
        elif field.type is not Any:
            schemas.setdefault(field.type.__name__, _model(field.type, schemas))
            schema = {"$ref": f"#/components/schemas/{field.type.__name__}"}
        schema = {"type": "array", "items": schema} if field.is_list else schema
        properties[field.name] = {**schema, "description": field.en}
    # Every field is always there, whatever UCloud's own tables mark as optional.
    return _object(properties, list(properties))
