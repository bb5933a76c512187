"""The algebra of retention, against its definition over whole sets."""

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from entrepot.errors import HubError
from entrepot.model import globs, retention
from entrepot.model.retention import DAY, Judge, Rule, Tag

NOW = 100 * DAY
NAMES = st.sampled_from([f"{letter}{number}" for letter in "abc" for number in range(8)])
AGES = st.one_of(st.integers(0, 6).map(lambda days: NOW - days * DAY), st.integers(NOW - 5 * DAY, NOW))
TAGS = st.lists(
    st.builds(Tag, NAMES, st.just(1), st.just("sha256:00"), AGES, st.one_of(st.just(0), AGES)),
    max_size=12,
    unique_by=lambda tag: tag.name,
)
PATTERNS = st.lists(st.sampled_from(["*", "a*", "b*", "*1", "app:c*", "web:*", "a1"]), min_size=1, max_size=2)
RULES = st.lists(
    st.builds(
        Rule,
        st.builds(globs.select, PATTERNS, st.one_of(st.just([]), PATTERNS)),
        st.integers(0, 4),
        st.integers(0, 5),
        st.integers(0, 5),
    ).filter(lambda rule: any(rule[1:])),
    max_size=4,
)


def age(tag: Tag) -> tuple[int, str]:
    return tag.pushed_at, tag.name


def going(rules: list[Rule], tags: list[Tag]) -> set[str]:
    """By the judge, as the hub asks it."""
    judge = Judge(tuple(rules), "app", NOW)
    return {tag.name for tag in sorted(tags, key=age, reverse=True) if judge.verdict(tag)}


def keeps(rule: Rule, tag: Tag, tags: list[Tag]) -> bool:
    """By definition."""
    newer = [one for one in tags if rule.about.has("app", one.name) and age(one) > age(tag)]
    return rule.about.has("app", tag.name) and (
        len(newer) < rule.newest
        or tag.pushed_at > NOW - rule.pushed_days * DAY
        or max(tag.pushed_at, tag.pulled_at) > NOW - rule.pulled_days * DAY
    )


def expected(rules: list[Rule], tags: list[Tag]) -> set[str]:
    matched = [tag for tag in tags if any(rule.about.has("app", tag.name) for rule in rules)]
    return {tag.name for tag in matched if not any(keeps(rule, tag, tags) for rule in rules)}


@given(RULES, TAGS)
def test_the_judge_says_what_the_definition_says(rules: list[Rule], tags: list[Tag]) -> None:
    # A tag of this second is newer than "no days ago", which 0 does not mean: such a rule has no such reason.
    assume(all(max(tag.pushed_at, tag.pulled_at) < NOW for tag in tags))
    assert going(rules, tags) == expected(rules, tags)


@given(RULES, RULES, TAGS)
def test_one_more_rule_never_takes_what_a_rule_keeps(rules: list[Rule], more: list[Rule], tags: list[Tag]) -> None:
    assume(all(max(tag.pushed_at, tag.pulled_at) < NOW for tag in tags))
    kept = {tag.name for tag in tags if any(keeps(rule, tag, tags) for rule in rules)}
    assert not kept & going([*rules, *more], tags)


@given(RULES, TAGS)
def test_what_no_rule_matches_stays(rules: list[Rule], tags: list[Tag]) -> None:
    matched = {tag.name for tag in tags if any(rule.about.has("app", tag.name) for rule in rules)}
    assert going(rules, tags) <= matched


@given(RULES, TAGS, st.data())
def test_part_by_part_in_any_order_is_the_same_and_the_end(rules: list[Rule], tags: list[Tag], data: Any) -> None:
    """A run that is killed leaves some of what goes: the next one takes exactly the rest, and then nothing."""
    whole = going(rules, tags)
    assert going(data.draw(st.permutations(rules)), tags) == whole
    some = data.draw(st.sets(st.sampled_from(sorted(whole)))) if whole else set()
    rest = [tag for tag in tags if tag.name not in some]
    assert going(rules, rest) == whole - some
    assert going(rules, [tag for tag in tags if tag.name not in whole]) == set()


@given(RULES)
def test_rules_survive_their_text(rules: list[Rule]) -> None:
    assert retention.parse(retention.text_of(tuple(rules))) == tuple(rules)


def test_companions_are_not_counted_and_not_taken() -> None:
    digest = "sha256:" + "ab" * 32
    signed = ["", ".sig", ".att", ".sbom"]
    assert retention.companions(digest) == tuple(f"sha256-{'ab' * 32}{one}" for one in signed)
    assert all(retention.companion_of(one) == digest for one in retention.companions(digest))
    assert retention.companions("sha512:" + "ab" * 64) == ()
    for other in ("v1", "sha256-ab.sig", f"sha256-{'AB' * 32}.sig", f"sha256-{'ab' * 32}.sigs", f"x{digest}"):
        assert retention.companion_of(other) is None
    tags = [Tag(one, 1, "", NOW - 9 * DAY, 0) for one in (*retention.companions(digest), "a1", "b1")]
    rule = Rule(globs.select(["*"], []), newest=1)
    assert going([rule], tags) == {"a1"}


def test_uhubs_rule_is_a_document() -> None:
    assert retention.parse(retention.UHUB) == (Rule(globs.select(["*"], []), newest=800, pulled_days=30),)


def test_the_reason_names_every_rule_that_matches() -> None:
    rules = (
        Rule(globs.select(["a*"], []), newest=1, pushed_days=3),
        Rule(globs.select(["b*"], []), newest=1),
        Rule(globs.select(["*"], []), pulled_days=2),
    )
    judge = Judge(rules, "app", NOW)
    assert judge.verdict(Tag("a2", 1, "", NOW - 5 * DAY, 0)) == ""
    why = judge.verdict(Tag("a1", 1, "", NOW - 6 * DAY, 0))
    assert why == "rule 1: not one of the newest 1, not pushed for 3 days; rule 3: not pulled for 2 days"


def test_every_fault_of_a_document_is_told_at_once() -> None:
    wrong: list[dict[str, Any]] = [
        {"Match": ["*"], "KeepNewest": 0, "KeepPulledDays": True, "KeepPushedDays": "7"},
        {"KeepNewest": 3},
        {"Match": ["*"], "Keep": 3},
        {"Match": ["v[0-9]"], "Except": "latest", "KeepNewest": 5},
        {"Match": [], "KeepNewest": 5},
    ]
    with pytest.raises(HubError) as refused:
        retention.parse(json.dumps(wrong))
    told = refused.value.message
    for one in (
        "rule 1: KeepNewest must be a whole number from 1 to",
        "rule 1: KeepPulledDays",
        "rule 1: KeepPushedDays",
        "rule 2: Match is missing",
        "rule 3: 'Keep' is not known",
        "rule 3: it keeps nothing",
        "rule 4: Match: 'v[0-9]'",
        "rule 4: Except must be a list",
        "rule 5: Match is missing",
    ):
        assert one in told, one


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[1]", "null", "[" * 10_000, '[{"Match":"*","KeepNewest":1}]', '[{"Match":[{}],"KeepNewest":1}]',
     "[]" + " " * retention.DOCUMENT_LENGTH, "\ud800", json.dumps([{"Match": ["*"], "KeepNewest": 1}] * 21),
     json.dumps([{"Match": ["*"] * 20, "KeepNewest": 1}] * 6)],
)  # fmt: skip
def test_what_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(HubError):
        retention.parse(text)
