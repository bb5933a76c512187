"""Everything in docs/ that is printed from the code: `make gen` runs this, CI fails on a difference."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from entrepot.api import docs, openapi
from entrepot.cli.main import entrepot
from entrepot.config import Settings
from entrepot.errors import Kind

_BOUNDS = (("minimum", "at least"), ("maximum", "at most"))
NOTE = "<!-- Printed by `make gen`; change the code, not this page. -->\n\n"


def settings_page() -> str:
    """Every setting with its bounds, default and reason."""
    lines: list[str] = [
        "# Settings",
        "",
        "A value comes from the command line, else the environment, else the TOML file named by `--config` or",
        "`ENTREPOT_CONFIG`, else the default. The TOML file holds the names of the first column at its top level.",
        "",
        "| TOML | Environment | Type | Default | What for |",
        "|:---|:---|:---|:---|:---|",
    ]
    for name, schema in _properties().items():
        bounds = [f"{word} {schema[key]}" for key, word in _BOUNDS if key in schema]
        kind = ", ".join([schema["type"], *bounds])
        default = f"`{schema['default']}`" if schema["default"] != "" else "empty"
        lines.append(f"| `{name}` | `ENTREPOT_{name.upper()}` | {kind} | {default} | {schema['description']} |")
    return NOTE + "\n".join(lines) + "\n"


def _properties() -> "dict[str, dict[str, Any]]":
    import msgspec

    schema = msgspec.json.schema(Settings)
    return dict(schema["$defs"]["Settings"]["properties"])


def errors_page() -> str:
    """The error table on all wires."""
    lines = [
        "# Errors",
        "",
        "One row for each refusal: what registry clients see (OCI code and HTTP status), what API clients see (RetCode",
        "in an HTTP 200 answer), and the exit code of the command line.",
        "",
        "A second call of one Request object of the Java SDK is answered 171: it signs the first signature too. Make a",
        "new object for each call.",
        "",
        "| Kind | OCI code | HTTP | RetCode | Exit | Message |",
        "|:---|:---|---:|---:|---:|:---|",
    ]
    for kind in Kind:
        row = kind.row
        text = row.message.replace("{}", "…")
        lines.append(f"| {kind.name} | {row.oci} | {row.status} | {row.ret_code} | {row.exit} | {text} |")
    return NOTE + "\n".join(lines) + "\n"


def cli_page() -> str:
    """The help of every command."""
    lines = ["# Command line", ""]
    _help(entrepot, None, lines)
    return NOTE + "\n".join(lines)


def _help(command: click.Command, parent: click.Context | None, lines: list[str]) -> None:
    name = command.name or "entrepot"
    context = click.Context(command, info_name=name, parent=parent, terminal_width=100, max_content_width=100)
    lines += [f"## {context.command_path}", "", "```", command.get_help(context), "```", ""]
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            made = command.get_command(context, child)
            if made is not None:
                _help(made, context, lines)


def _recorded(path: Path) -> "dict[str, Any]":
    return dict(json.loads(path.read_text("utf-8"))) if path.exists() else {}


def clients_page(clients: "dict[str, Any]") -> str:
    """What each registry client was seen to do, by capability; ``clients``: name -> version and capabilities."""
    names = sorted(clients)
    capabilities: dict[str, int] = {}
    for entry in clients.values():
        for one in entry["capabilities"]:
            capabilities[one] = capabilities.get(one, 0) + 1
    lines = [
        "# Registry clients",
        "",
        "Real clients, unchanged, against a running hub: `tests/clients` drives them, and this table is written by",
        "those runs. An empty cell: the client has no such command, or it is not tested.",
        "",
        f"| | {' | '.join(names)} |",
        f"|:---|{':---:|' * len(names)}",
        f"| version | {' | '.join(clients[name]['version'] for name in names)} |",
    ]
    for one in sorted(capabilities, key=lambda name: (-capabilities[name], name)):
        cells = ["yes" if one in clients[name]["capabilities"] else "" for name in names]
        lines.append(f"| {one} | {' | '.join(cells)} |")
    return NOTE + "\n".join(lines) + "\n"


def pages(folder: Path) -> dict[str, str]:
    """Every page by its path below ``folder``, which holds what test runs recorded."""
    clients = _recorded(folder / "api-clients.json")
    return {
        "settings.md": settings_page(),
        "errors.md": errors_page(),
        "cli.md": cli_page(),
        "openapi.json": openapi.text(),
        "api-coverage.md": NOTE + docs.coverage_page(clients),
        "clients.md": clients_page(_recorded(folder / "clients.json")),
        **docs.pages(),
    }


def main(folder: Path) -> None:
    """Write every page below ``folder``."""
    for path, text in pages(folder).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
