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


def pages(folder: Path) -> dict[str, str]:
    """Every page by its path below ``folder``, which holds what test runs recorded."""
    recorded = folder / "api-clients.json"
    clients = json.loads(recorded.read_text("utf-8")) if recorded.exists() else {}
    return {
        "settings.md": settings_page(),
        "errors.md": errors_page(),
        "cli.md": cli_page(),
        "openapi.json": openapi.text(),
        "api-coverage.md": NOTE + docs.coverage_page(clients),
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
