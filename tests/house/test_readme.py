"""The Chinese README says what the English one says: the same commands, links, points and rooms, in the same order."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?m)^    .+$",  # commands
        r"\]\(((?!README)[^)]+)\)",  # links
        r"(?m)^#+ ",
        r"(?m)^- ",
        r"(?m)^\| `",
    ],
)
def test_both_readmes_hold_the_same(pattern: str) -> None:
    english, chinese = (re.findall(pattern, read(name)) for name in ("README.md", "README.zh-CN.md"))
    assert english == chinese
    assert english


def test_both_name_the_same_actions_settings_and_commands() -> None:
    english, chinese = (
        {
            word
            for code in re.findall(r"`([^`]+)`", re.sub(r"\s+", " ", read(name)))
            for word in re.split(r"[ 、,]+", code)
        }
        for name in ("README.md", "README.zh-CN.md")
    )
    assert english == chinese


def test_links_lead_somewhere() -> None:
    for name in ("README.md", "README.zh-CN.md"):
        for link in re.findall(r"\]\(([^)#]+)", read(name)):
            assert (ROOT / link).exists(), link
