"""The store is away, failing, slow, or loses its answers: clients are told to try again, and nothing is lost."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.errors import HubError, Kind
from entrepot.ops import check, collect, janitor, scrub
from entrepot.ops.collect import Report
from tests import s3, stored
from tests.buckets import gate
from tests.buckets.gate import Gate
from tests.conftest import Loop, Reply, TestHub
from tests.registry.kit import digest, push_blob

NAME = "depot/app"
PLACE = f"/v2/{NAME}/blobs"
LARGE = os.urandom(9 * 1024 * 1024)
"""A part, and more."""
DAYS = 3 * 86_400


@pytest.fixture
def store() -> Iterator[Gate]:
    made = Gate(s3.session_server().url)
    yield made
    made.close()


@pytest.fixture
def hub(loop: Loop, tmp_path: Path, store: Gate, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestHub]:
    folder = tmp_path / "data"
    given = {**s3.settings_of(folder), **s3.through(store.url, monkeypatch)}
    made = TestHub(loop, folder, row_bytes=1000, **given)
    made.bucket("depot")
    yield made
    made.close()


def start(hub: TestHub) -> str:
    return hub.request("POST", f"{PLACE}/uploads/", login=hub.main).headers["location"]


def patch(hub: TestHub, place: str, content: bytes) -> Reply:
    return hub.request("PATCH", place, body=content, login=hub.main)


def finish(hub: TestHub, place: str, content: bytes) -> Reply:
    return hub.request("PUT", f"{place}?digest={digest(content)}", login=hub.main)


def get(hub: TestHub, content: bytes, method: str = "GET") -> Reply:
    return hub.request(method, f"{PLACE}/{digest(content)}", login=hub.main)


def told_to_wait(reply: Reply) -> bool:
    return reply.status == 503 and "retry-after" in reply.headers


def nothing_is_damaged(hub: TestHub) -> None:
    assert hub.call("ListDamaged")["TotalCount"] == 0
    assert hub.run(check.check(hub.hub, deep=True, repair=False, progress=lambda *_: None)) == []


@pytest.mark.parametrize("fault", ["away", "refused"])
def test_a_push_goes_on_when_the_store_is_back(hub: TestHub, store: Gate, fault: str) -> None:
    known = os.urandom(5000)
    push_blob(hub, NAME, known, hub.main)
    place = start(hub)
    assert patch(hub, place, LARGE).status == 202
    setattr(store, fault, gate.everything)
    assert told_to_wait(patch(hub, place, b"more" * 1000))
    assert told_to_wait(finish(hub, place, LARGE))
    assert told_to_wait(get(hub, known))
    assert get(hub, known, "HEAD").status == 503
    setattr(store, fault, None)
    assert hub.request("GET", place, login=hub.main).headers["range"] == f"0-{len(LARGE) - 1}"
    assert patch(hub, place, b"more" * 1000).status == 202
    whole = LARGE + b"more" * 1000
    assert finish(hub, place, whole).status == 201
    assert get(hub, whole).body == whole
    assert get(hub, known).body == known
    nothing_is_damaged(hub)


def test_parts_that_are_refused_in_the_middle_of_a_push(hub: TestHub, store: Gate) -> None:
    place = start(hub)
    store.refused = gate.parts
    assert told_to_wait(patch(hub, place, LARGE))
    store.refused = None
    assert patch(hub, place, LARGE).status == 202
    assert finish(hub, place, LARGE).status == 201
    assert get(hub, LARGE).body == LARGE
    now = hub.hub.clock
    hub.hub.clock = lambda: now() + DAYS
    for step in janitor.STEPS:
        hub.run(step(hub.hub))
    assert stored.growing(hub) == [], "the parts of the one that failed are gone in time"
    assert get(hub, LARGE).body == LARGE


@pytest.mark.parametrize("lost", [gate.parts, gate.completions])
def test_an_answer_that_is_lost_is_no_upload_that_is_lost(hub: TestHub, store: Gate, lost: gate.Asks) -> None:
    place = start(hub)
    store.lost = lost
    assert patch(hub, place, LARGE).status == 202
    assert finish(hub, place, LARGE).status == 201
    assert store.lost is None, "it was met"
    assert get(hub, LARGE).body == LARGE


def test_bytes_that_are_damaged_on_the_way_are_not_taken(hub: TestHub, store: Gate) -> None:
    if s3.session_server().kind == "moto":
        pytest.skip("moto takes any bytes")
    small, place = os.urandom(5000), start(hub)
    store.damaged = lambda method, path: method == "PUT" and "/blobs/" in path
    assert told_to_wait(patch(hub, place, LARGE))
    assert told_to_wait(patch(hub, place, small))
    store.damaged = None
    assert patch(hub, place, LARGE).status == 202
    assert finish(hub, place, LARGE).status == 201
    assert get(hub, LARGE).body == LARGE


def test_a_read_that_breaks_off_goes_on(hub: TestHub, store: Gate) -> None:
    push_blob(hub, NAME, LARGE, hub.main)
    store.cut = gate.reads
    assert get(hub, LARGE).body == LARGE
    assert store.cut is None, "it was met"


def test_a_completion_that_fails_is_asked_for_again(hub: TestHub, store: Gate) -> None:
    place = start(hub)
    assert patch(hub, place, LARGE).status == 202
    store.refused = gate.completions
    assert told_to_wait(finish(hub, place, LARGE))
    store.refused = None
    assert finish(hub, place, LARGE).status == 201
    assert get(hub, LARGE).body == LARGE


def test_a_store_that_takes_its_time_holds_up_nobody_else(hub: TestHub, store: Gate) -> None:
    push_blob(hub, NAME, b"in a row", hub.main)
    place, got = start(hub), []
    store.held = gate.parts
    pusher = threading.Thread(target=lambda: got.append(patch(hub, place, LARGE)))
    pusher.start()
    assert store.waiting.wait(30)
    assert get(hub, b"in a row").body == b"in a row"
    assert patch(hub, place, b"from elsewhere").status == 416
    push_blob(hub, NAME, b"another one", hub.main)
    assert got == []
    store.release.set()
    pusher.join()
    assert [one.status for one in got] == [202]
    assert finish(hub, place, LARGE).status == 201


def test_what_the_hub_does_by_itself_marks_and_loses_nothing(hub: TestHub, store: Gate) -> None:
    content, dead = os.urandom(5000), os.urandom(5000)
    for one in (content, dead):
        push_blob(hub, NAME, one, hub.main)
    assert hub.request("DELETE", f"{PLACE}/{digest(dead)}", login=hub.main).status == 202
    hub.run(hub.hub.db.write(lambda rows: rows.run("UPDATE scrub SET started_at = 0, position = 0")))
    now = hub.hub.clock
    hub.hub.clock = lambda: now() + 3600
    hub.run(collect.step(hub.hub, Report()))
    hub.hub.clock = lambda: now() + 2 * 3600
    store.away = gate.everything
    for chore in (lambda: collect.step(hub.hub, Report()), lambda: scrub.step(hub.hub, "me")):
        with pytest.raises(HubError) as refused:
            hub.run(chore())
        assert refused.value.kind is Kind.UNAVAILABLE
    found = hub.run(check.check(hub.hub, deep=True, repair=True, progress=lambda *_: None))
    assert {one.kind for one in found} == {"unchecked"}
    store.away = None
    hub.run(collect.step(hub.hub, Report()))
    assert get(hub, content).body == content
    nothing_is_damaged(hub)
    assert len(stored.objects(hub)) == 1
