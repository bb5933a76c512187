"""The gallery: templates as files of gallery/, with what they are for in both languages. They run like others."""

import json
from functools import cache
from importlib import resources
from typing import Any, NamedTuple


class Sample(NamedTuple):
    """A template of the gallery. Texts are (English, Chinese); ``inputs``: name -> text."""

    id: str
    name: str
    place: int
    title: tuple[str, str]
    about: tuple[str, str]
    inputs: dict[str, tuple[str, str]]
    template: dict[str, Any]

    @property
    def text(self) -> str:
        """The template as it is edited."""
        return json.dumps(self.template, indent=2, ensure_ascii=False)


@cache
def samples() -> dict[str, Sample]:
    """All of them by id, in their order."""
    found = []
    for one in (resources.files("entrepot.console") / "gallery").iterdir():
        if one.name.endswith(".json"):
            value = json.loads(one.read_text("utf-8"))
            found.append(
                Sample(
                    one.name.removesuffix(".json"),
                    value["Name"],
                    value["Place"],
                    (value["Title"]["en"], value["Title"]["zh"]),
                    (value["About"]["en"], value["About"]["zh"]),
                    {name: (text["en"], text["zh"]) for name, text in value["Inputs"].items()},
                    value["Template"],
                )
            )
    return {one.id: one for one in sorted(found, key=lambda one: one.place)}
