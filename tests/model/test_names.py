"""The grammars of names and digests."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.errors import HubError, Kind
from entrepot.model import digest, names

COMPONENT = st.from_regex(r"[a-z0-9]{1,6}((\.|_|__|-{1,3})[a-z0-9]{1,6}){0,2}", fullmatch=True)


@given(st.lists(COMPONENT, min_size=2, max_size=5))
def test_valid_names_split_at_the_first_slash(parts: list[str]) -> None:
    found = names.repository("/".join(parts))
    assert (found.bucket, found.image) == (parts[0], "/".join(parts[1:]))
    assert str(found) == "/".join(parts)


@given(st.text(max_size=30))
def test_no_other_text_is_a_name(text: str) -> None:
    grammar = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)+"
    if re.fullmatch(grammar, text):
        return
    with pytest.raises(HubError) as refused:
        names.repository(text)
    assert refused.value.kind is Kind.NAME_INVALID


@pytest.mark.parametrize("name", ["abcd", "a.b_c-d", "ucs1", "a" * 30, "996.icu"])
def test_bucket_names(name: str) -> None:
    assert names.new_bucket(name) == name


@pytest.mark.parametrize(
    "name", ["abc", "a" * 31, "_abc", "abc_", "a___b", "Abcd", "a b c", "ab/cd", "", "abcd\n", "测试镜像"]
)
def test_bucket_names_that_docker_could_not_push_are_refused(name: str) -> None:
    with pytest.raises(HubError) as refused:
        names.new_bucket(name)
    assert refused.value.kind is Kind.BUCKET_NAME_INVALID


@pytest.mark.parametrize("tag", ["v1", "_x", "A.b-c", "a" * 128])
def test_tags(tag: str) -> None:
    assert names.tag(tag) == tag


@pytest.mark.parametrize("tag", ["", ".a", "-a", "a" * 129, "a:b", "a/b", "a\n", "é"])
def test_bad_tags(tag: str) -> None:
    with pytest.raises(HubError):
        names.tag(tag)


def test_a_long_name_is_refused_before_the_grammar_runs() -> None:
    with pytest.raises(HubError):
        names.repository("a/" + "b" * 100_000)


@given(st.text(max_size=100))
def test_digests(text: str) -> None:
    assert digest.is_valid(text) == bool(re.fullmatch(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}", text))


def test_digest_round_trip() -> None:
    for algorithm in digest.ALGORITHMS:
        made = digest.of(b"abc", algorithm)
        assert str(digest.parse(made)) == made
