"""What an image says of itself: layers, platforms, configuration, build history. Read from bytes that anybody pushed.

Sources: OCI image-spec manifest.md, image-index.md, config.md. Whatever has an unexpected form is left out; nothing
here raises for content.
"""

from typing import Any, NamedTuple

import msgspec

MOST = 500
"""Most entries that are told of one list in a document."""
TEXT = 4000
"""Longest text that is told; what is behind it is cut."""


class Part(NamedTuple):
    """A descriptor: a layer, a config or a child. ``platform`` is only there for children of an index."""

    digest: str
    media_type: str
    size: int
    platform: str
    artifact_type: str


class Content(NamedTuple):
    """A manifest (``config``, ``layers``) or an index (``children``), with its annotations."""

    config: Part | None
    layers: list[Part]
    children: list[Part]
    annotations: dict[str, str]

    @property
    def size(self) -> int:
        """Bytes of config and layers."""
        return sum(one.size for one in self.layers) + (self.config.size if self.config else 0)


class Step(NamedTuple):
    """One line of the build history; ``is_empty``: it made no layer."""

    created_by: str
    created: str
    comment: str
    is_empty: bool


class Config(NamedTuple):
    """What a container of the image starts with, and how the image came to be."""

    platform: str = ""
    created: str = ""
    author: str = ""
    user: str = ""
    working_dir: str = ""
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    history: tuple[Step, ...] = ()


def content(raw: bytes) -> Content:
    """Read a stored manifest or index."""
    document = _object(raw)
    config = _part(document.get("config"))
    return Content(
        config=config if config.digest else None,
        layers=[_part(one) for one in _list(document.get("layers"))],
        children=[_part(one) for one in _list(document.get("manifests"))],
        annotations=dict(_pairs(document.get("annotations"))),
    )


def config(raw: bytes) -> Config:
    """Read an image's configuration."""
    document = _object(raw)
    inner = _dict(document.get("config"))
    return Config(
        platform=platform(document),
        created=_text(document.get("created")),
        author=_text(document.get("author")),
        user=_text(inner.get("User")),
        working_dir=_text(inner.get("WorkingDir")),
        entrypoint=_texts(inner.get("Entrypoint")),
        command=_texts(inner.get("Cmd")),
        environment=_texts(inner.get("Env")),
        ports=_texts(list(_dict(inner.get("ExposedPorts")))),
        labels=tuple(_pairs(inner.get("Labels"))),
        history=tuple(_step(_dict(one)) for one in _list(document.get("history"))),
    )


def platform(of: Any) -> str:
    """``linux/amd64`` or ``linux/arm/v7``; "" where nothing is said."""
    known = _dict(of)
    parts = [_text(known.get(name))[:60] for name in ("os", "architecture", "variant")]
    return "/".join(part for part in parts if part) if parts[0] and parts[1] else ""


def _step(line: dict[str, Any]) -> Step:
    return Step(
        created_by=_text(line.get("created_by")),
        created=_text(line.get("created")),
        comment=_text(line.get("comment")),
        is_empty=line.get("empty_layer") is True,
    )


def _part(of: Any) -> Part:
    known = _dict(of)
    size = known.get("size")
    return Part(
        _text(known.get("digest")),
        _text(known.get("mediaType")),
        size if isinstance(size, int) and size > 0 else 0,
        platform(known.get("platform")),
        _text(known.get("artifactType")),
    )


def _object(raw: bytes) -> dict[str, Any]:
    try:
        return _dict(msgspec.json.decode(raw))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def _dict(of: Any) -> dict[str, Any]:
    return of if isinstance(of, dict) else {}


def _list(of: Any) -> list[Any]:
    return of[:MOST] if isinstance(of, list) else []


def _text(of: Any) -> str:
    return of[:TEXT] if isinstance(of, str) else ""


def _texts(of: Any) -> tuple[str, ...]:
    return tuple(_text(one) for one in _list(of))


def _pairs(of: Any) -> list[tuple[str, str]]:
    return [(_text(name), _text(value)) for name, value in list(_dict(of).items())[:MOST]]
