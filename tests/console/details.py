"""What the source says to people in its refusals, as templates: ``{}`` for each value that is filled in."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import entrepot

SOURCE = Path(entrepot.__file__).parent
ELSEWHERE = (
    "cli/", "config.py", "wiring.py", "store/backup_folder.py", "store/layout_read.py", "store/layout_write.py",
    "store/rows_file.py", "store/postgres_copy.py", "store/postgres_fill.py", "store/postgres_link.py",
    "ops/backup.py", "ops/restore.py", "ops/arrival.py", "ops/moving.py", "ops/imports.py", "ops/exports.py",
    "ops/vault.py", "model/layout.py",  # the command line
    "registry/", "ops/access.py", "ops/uploads.py", "ops/sessions.py", "ops/guesses.py", "model/manifest.py",
    "store/blobs.py", "store/blobs_fs.py", "store/blobs_remote.py", "store/remote", "store/disk.py",  # its door
    "actions/door.py", "actions/params.py",  # what arrives over the network
    "flows/",  # told in the record of a run, which is data
)  # fmt: skip
"""What is told at other doors only, where English is spoken."""
PHRASES = {
    "model/retention.py": ("_faults", "_misses", "verdict", "_parsed"),
    "model/globs.py": ("faults", "select"),
}
"""Functions that make parts of a refusal or a reason; each text in them is one."""


def is_words(template: str) -> bool:
    """Whether it says something beside values and names of parameters."""
    plain = template.replace("{}", "")
    return bool(re.search("[a-z]{2}", plain)) and not re.fullmatch(r"[A-Za-z.]+", plain)


def refusals() -> Iterator[tuple[str, str]]:
    """(place, template) of every detail that may reach a page."""
    for path, tree in _trees():
        if path.startswith(ELSEWHERE):
            continue
        for function in _functions(tree):
            named = _assigned(tree) | _assigned(function)
            for call in _own(function):
                if isinstance(call, ast.Call) and ast.unparse(call.func) == "HubError" and len(call.args) > 1:
                    template = _template(call.args[1], named)
                    if is_words(template):
                        yield f"{path}:{call.lineno}", template


def phrases() -> Iterator[tuple[str, str]]:
    """(place, template) of every text that such a detail, or a reason, is put together from."""
    for path, tree in _trees():
        for function in _functions(tree):
            if getattr(function, "name", "") not in PHRASES.get(path, ()):
                continue
            calls = {id(part) for one in ast.walk(function) if isinstance(one, ast.Call)
                     and ast.unparse(one.func) == "HubError" for part in ast.walk(one)}  # fmt: skip
            for node in _texts(function):
                template = _template(node, {})
                if id(node) not in calls and is_words(template) and " " in template:
                    yield f"{path}:{getattr(node, 'lineno', 0)}", template


def _trees() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield path.relative_to(SOURCE).as_posix(), ast.parse(path.read_text("utf-8"))


def _functions(tree: ast.Module) -> Iterator[ast.AST]:
    yield tree
    yield from (one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))


def _own(function: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function without those of functions inside it."""
    for child in ast.iter_child_nodes(function):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
            yield from _own(child)


def _texts(function: ast.AST) -> Iterator[ast.AST]:
    """Texts, not the parts of one; no docstring."""
    for child in ast.iter_child_nodes(function):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue
        if isinstance(child, ast.JoinedStr) or (isinstance(child, ast.Constant) and isinstance(child.value, str)):
            yield child
        else:
            yield from _texts(child)


def _assigned(function: ast.AST) -> dict[str, ast.AST]:
    """Hints: texts that are written down before they are raised."""
    found: dict[str, ast.AST] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.JoinedStr | ast.Constant):
            names = [one.id for one in node.targets if isinstance(one, ast.Name)]
            found.update({name: node.value for name in names if "hint" in name.lower()})
    return found


def _template(node: ast.AST, named: dict[str, ast.AST]) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value).replace("{", "").replace("}", "")
    if isinstance(node, ast.JoinedStr):
        return "".join(_template(part, named) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        inner = node.value
        return _template(named[inner.id], {}) if isinstance(inner, ast.Name) and inner.id in named else "{}"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _template(node.left, named) + _template(node.right, named)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "strip":
        return _template(node.func.value, named)
    return "{}"
