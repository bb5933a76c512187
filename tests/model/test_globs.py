"""Globs against the smallest matcher that could be right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.errors import HubError
from entrepot.model import globs

TEXTS = st.text("ab.", max_size=9)
GLOBS = st.text("ab.*", max_size=9)


def reference(glob: str, text: str) -> bool:
    """By the definition of *, one character at a time."""
    if not glob:
        return not text
    if glob[0] == "*":
        return reference(glob[1:], text) or (bool(text) and reference(glob, text[1:]))
    return bool(text) and text[0] == glob[0] and reference(glob[1:], text[1:])


@given(GLOBS, TEXTS)
def test_globs_match_what_the_definition_says(glob: str, text: str) -> None:
    assert globs.matches(glob, text) == reference(glob, text)


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_text_put_where_the_stars_are_matches(parts: list[str]) -> None:
    assert globs.matches("*".join(parts), "".join(parts))
    assert globs.matches("*".join(parts), "xy".join(parts))


@given(st.lists(GLOBS.filter(bool), max_size=3), st.lists(GLOBS.filter(bool), max_size=3), TEXTS)
def test_a_selection_survives_its_text(patterns: list[str], exceptions: list[str], tag: str) -> None:
    if exceptions and not patterns:
        return
    made = globs.select(patterns, exceptions)
    assert globs.selection(made.text) == made
    wanted = any(reference(one, tag) for one in patterns) and not any(reference(one, tag) for one in exceptions)
    assert made.has("app", tag) == wanted


def test_a_pattern_may_name_images() -> None:
    chosen = globs.select(["app/*:v*", "latest"], ["*/old:*"])
    assert chosen.has("app/web", "v1")
    assert not chosen.has("app/web", "w1")
    assert not chosen.has("application", "v1")
    assert chosen.has("anything", "latest")
    assert not chosen.has("app/old", "v1")
    assert not globs.select([], []).has("app", "v1")


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(HubError) as refused:
        globs.select(["[a-z]", "APP:v1", "v1 v2", "!v1", "", "a:b:c"], ["v?", "x" * 129])
    for one in ("[a-z]", "APP:v1", "v1 v2", "!v1", "''", "a:b:c", "v?", "xxx"):
        assert one in refused.value.message, one
    with pytest.raises(HubError):
        globs.select(["v*"] * 21, [])
    with pytest.raises(HubError):
        globs.select(["*a*a*a*a*a:*a*a*a*a"], [])
    assert globs.select(["*a*a*a*a:*a*a*a*a"], [])
    with pytest.raises(HubError):
        globs.select([], ["v*"])
