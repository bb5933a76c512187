"""Manifests that keep each other in a circle: an index that refers to what it lists."""

import pytest

from entrepot.ops import holders
from tests.registry.test_collect import DAY, INDEX, WEEK, Aging, depot, descriptor, document, put  # noqa: F401

# ruff: noqa: F811


def index(*children, subject=None):
    made = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(one) for one in children]}
    return {**made, **({"subject": descriptor(subject)} if subject else {})}


def circle(depot, *, tag=None, steps=0):
    """A child, indexes on top of each other, and a last one that lists them and refers to the child."""
    child = document(depot)
    names, top = [put(depot, child, "digest")], child
    for _ in range(steps):
        top = index(top)
        names.append(put(depot, top, "digest"))
    return [*names, put(depot, index(top, subject=child), tag or "digest")]


def pulled(depot, names):
    return {depot.pull(one) for one in names}


@pytest.mark.parametrize("steps", [0, 1, 7])
def test_a_circle_without_tag_goes_as_a_whole(depot, steps):
    names = circle(depot, steps=steps)
    depot.later(WEEK - 10)
    assert pulled(depot, names) == {200}
    for _ in range(steps + 4):
        depot.later(WEEK)
    assert pulled(depot, names) == {404}
    assert (depot.count("manifest"), depot.count("blob"), depot.count("gc_manifest")) == (0, 0, 0)
    assert depot.is_clean()


def test_a_circle_stays_as_long_as_its_tag(depot):
    names = circle(depot, tag="v1", steps=2)
    for _ in range(5):
        assert depot.later(WEEK).is_empty
    assert pulled(depot, names) == {200}
    depot.request("DELETE", "/v2/depot/app/manifests/v1", login=depot.main)
    depot.later(WEEK - 10)
    assert pulled(depot, names) == {200}
    for _ in range(6):
        depot.later(WEEK)
    assert pulled(depot, names) == {404}
    assert depot.is_clean()


def test_a_tag_on_any_member_keeps_the_circle(depot):
    child = document(depot)
    names = [put(depot, child, "v1"), put(depot, index(child, subject=child), "digest")]
    for _ in range(5):
        assert depot.later(WEEK).is_empty
    assert pulled(depot, names) == {200}


def test_what_holds_a_circle_from_outside_keeps_it_and_gives_it_its_time(depot):
    child = document(depot)
    inner = index(child, subject=child)
    names = [put(depot, child, "digest"), put(depot, inner, "digest")]
    depot.later(WEEK / 2)
    outer = put(depot, index(inner), "outer")
    for _ in range(3):
        assert depot.later(WEEK).is_empty
    depot.request("DELETE", "/v2/depot/app/manifests/outer", login=depot.main)
    depot.later(WEEK + 1)
    assert (depot.pull(outer), pulled(depot, names)) == (404, {200})
    for _ in range(4):
        depot.later(DAY + 1)
    assert pulled(depot, names) == {404}


def test_a_member_whose_time_has_not_come_holds_the_others(depot):
    child = document(depot)
    first = put(depot, child, "digest")
    depot.later(WEEK - DAY)
    second = put(depot, index(child, subject=child), "digest")
    assert depot.later(2 * DAY).is_empty
    assert pulled(depot, [first, second]) == {200}
    for _ in range(3):
        depot.later(WEEK)
    assert pulled(depot, [first, second]) == {404}


def test_two_circles_one_above_the_other(depot):
    low = document(depot)
    low_index = index(low, subject=low)
    high_index = index(low_index, subject=low_index)
    names = [put(depot, one, "digest") for one in (low, low_index, high_index)]
    for _ in range(6):
        depot.later(WEEK)
    assert pulled(depot, names) == {404}
    assert depot.is_clean()


def test_a_walk_ends_at_its_bound_and_keeps(depot, monkeypatch):
    monkeypatch.setattr(holders, "MOST", 3)
    names = circle(depot, steps=5)
    for _ in range(3):
        depot.later(WEEK)
    assert pulled(depot, names) == {200}
    assert depot.is_clean()
