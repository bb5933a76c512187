"""Uploads at the door: every way to push a blob, and every way to get it wrong."""

import asyncio
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.config import Settings
from tests import stored
from tests.conftest import Loop, TestHub
from tests.registry.kit import digest, push_blob

NAME = "depot/app"
SMALL = Settings().row_bytes


@pytest.fixture
def depot(hub: TestHub) -> TestHub:
    hub.bucket("depot")
    return hub


def start(hub: TestHub, query: str = "") -> str:
    reply = hub.request("POST", f"/v2/{NAME}/blobs/uploads/{query}", login=hub.main)
    assert reply.status == 202
    assert reply.headers["docker-upload-uuid"] in reply.headers["location"]
    return reply.headers["location"]


def files(hub: TestHub, folder: str) -> list[stored.Kept]:
    return stored.objects(hub) if folder == "blobs" else stored.growing(hub)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("size", [0, 1, 70_000, 1_500_000])
def test_monolithic_push_comes_back_bit_for_bit(depot: TestHub, algorithm: str, size: int) -> None:
    content = os.urandom(size)
    name = push_blob(depot, NAME, content, depot.main, algorithm)
    reply = depot.request("GET", f"/v2/{NAME}/blobs/{name}", login=depot.main)
    assert (reply.status, reply.body) == (200, content)
    assert reply.headers["docker-content-digest"] == name
    assert reply.headers["content-length"] == str(size)
    head = depot.request("HEAD", f"/v2/{NAME}/blobs/{name}", login=depot.main)
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(size))


def test_single_post_stores_the_blob(depot: TestHub) -> None:
    content = os.urandom(5000)
    reply = depot.request("POST", f"/v2/{NAME}/blobs/uploads/?digest={digest(content)}", body=content, login=depot.main)
    assert reply.status == 201
    assert depot.request("GET", reply.headers["location"], login=depot.main).body == content
    assert files(depot, "uploads") == []


def test_streamed_patch_then_empty_put(depot: TestHub) -> None:
    pieces = [os.urandom(300_000) for _ in range(5)]
    place = start(depot)
    patched = depot.request("PATCH", place, body=pieces, login=depot.main)
    assert (patched.status, patched.headers["range"]) == (202, "0-1499999")
    done = depot.request("PUT", f"{place}?digest={digest(b''.join(pieces))}", login=depot.main)
    assert done.status == 201
    assert depot.request("GET", done.headers["location"], login=depot.main).body == b"".join(pieces)


def test_out_of_order_chunk_is_416_and_the_session_goes_on(depot: TestHub) -> None:
    place, content = start(depot), os.urandom(300)
    first = depot.request("PATCH", place, headers={"content-range": "0-99"}, body=content[:100], login=depot.main)
    assert first.status == 202
    wrong = depot.request("PATCH", place, headers={"content-range": "200-299"}, body=content[200:], login=depot.main)
    assert (wrong.status, wrong.code) == (416, "RANGE_INVALID")
    status = depot.request("GET", place, login=depot.main)
    assert (status.status, status.headers["range"], status.headers["location"]) == (204, "0-99", place)
    late = depot.request(
        "PUT",
        f"{place}?digest={digest(content)}",
        headers={"content-range": "200-299"},
        body=content[200:],
        login=depot.main,
    )
    assert late.status == 416
    rest = depot.request(
        "PUT",
        f"{place}?digest={digest(content)}",
        headers={"content-range": "100-299"},
        body=content[100:],
        login=depot.main,
    )
    assert rest.status == 201


@given(data=st.binary(max_size=3000), cuts=st.lists(st.integers(0, 3000), max_size=6), ranged=st.booleans())
def test_any_chunking_gives_the_same_blob(depot_once: TestHub, data: bytes, cuts: list[int], ranged: bool) -> None:
    hub, place = depot_once, start(depot_once)
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for left, right in itertools.pairwise(edges):
        headers = {"content-range": f"{left}-{right - 1}"} if ranged else {}
        assert hub.request("PATCH", place, headers=headers, body=data[left:right], login=hub.main).status == 202
    done = hub.request("PUT", f"{place}?digest={digest(data)}", login=hub.main)
    assert done.status == 201, done.body
    assert hub.request("GET", done.headers["location"], login=hub.main).body == data


@pytest.fixture(params=[0, 131_072])
def depot_once(request: pytest.FixtureRequest, loop: Loop, tmp_path: Path) -> Iterator[TestHub]:
    """A hub whose blobs all become files, or all live in their rows."""
    made = TestHub(loop, tmp_path / "data", row_bytes=request.param)
    made.bucket("depot")
    yield made
    made.close()


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_chunks_that_go_on_in_a_new_process_are_hashed_again(depot: TestHub, algorithm: str) -> None:
    place, content = start(depot), os.urandom(2_000_000)
    depot.request("PATCH", place, body=content[:1_234_567], login=depot.main)
    depot.reopen()
    depot.request("PATCH", place, body=content[1_234_567:], login=depot.main)
    depot.hub.running.clear()
    done = depot.request("PUT", f"{place}?digest={digest(content, algorithm)}", login=depot.main)
    assert done.status == 201
    assert depot.request("GET", done.headers["location"], login=depot.main).body == content


def test_bytes_written_but_never_acknowledged_do_not_get_into_the_blob(depot: TestHub) -> None:
    place, content = start(depot), os.urandom(1000)
    depot.request("PATCH", place, body=content, login=depot.main)
    stored.only_files()
    [growing] = files(depot, "uploads")
    growing.write_bytes(growing.read_bytes() + b"half a chunk")  # what a killed server leaves behind
    done = depot.request("PUT", f"{place}?digest={digest(content)}", login=depot.main)
    assert done.status == 201
    assert depot.request("GET", done.headers["location"], login=depot.main).body == content


def test_a_file_shorter_than_acknowledged_ends_the_session(depot: TestHub) -> None:
    place, content = start(depot), os.urandom(1000)
    depot.request("PATCH", place, body=content, login=depot.main)
    [growing] = files(depot, "uploads")
    growing.write_bytes(content[:10])
    assert depot.request("PUT", f"{place}?digest={digest(content)}", login=depot.main).code == "BLOB_UPLOAD_UNKNOWN"
    assert depot.request("GET", place, login=depot.main).status == 404


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_body_that_breaks_off_keeps_what_came_and_resumes(depot: TestHub, method: str) -> None:
    place, content = start(depot), os.urandom(900_000)
    whole = f"{place}?digest={digest(content)}" if method == "PUT" else place
    gone = depot.request(method, whole, body=[content[:600_000]], login=depot.main, broken=True)
    assert gone.status == 400, "for a client that is there, and sent what is no body"
    status = depot.request("GET", place, login=depot.main)
    assert status.headers["range"] == "0-599999"
    depot.request("PATCH", place, headers={"content-range": "600000-899999"}, body=content[600_000:], login=depot.main)
    assert depot.request("PUT", f"{place}?digest={digest(content)}", login=depot.main).status == 201


def test_a_body_shorter_than_content_length_is_not_a_chunk(depot: TestHub) -> None:
    place = start(depot)
    depot.request(
        "PUT",
        f"{place}?digest={digest(b'x' * 50)}",
        headers={"content-length": "100"},
        body=[b"x" * 50],
        login=depot.main,
    )
    assert depot.request("GET", f"/v2/{NAME}/blobs/{digest(b'x' * 50)}", login=depot.main).status == 404


def test_wrong_digest_stores_nothing_and_ends_the_session(depot: TestHub) -> None:
    place = start(depot)
    depot.request("PATCH", place, body=b"abc", login=depot.main)
    wrong = depot.request("PUT", f"{place}?digest={digest(b'other')}", login=depot.main)
    assert (wrong.status, wrong.code) == (400, "DIGEST_INVALID")
    assert depot.request("GET", place, login=depot.main).status == 404
    posted = depot.request("POST", f"/v2/{NAME}/blobs/uploads/?digest={digest(b'no')}", body=b"abc", login=depot.main)
    assert posted.code == "DIGEST_INVALID"
    assert files(depot, "uploads") == []
    assert files(depot, "blobs") == []


@pytest.mark.parametrize("bad", ["", "sha256:abc", "md5:" + "0" * 32, "sha256:" + "A" * 64, "sha256:../../x"])
def test_malformed_digests_are_refused(depot: TestHub, bad: str) -> None:
    place = start(depot)
    assert depot.request("PUT", f"{place}?digest={bad}", login=depot.main).code == "DIGEST_INVALID"
    assert depot.request("POST", f"/v2/{NAME}/blobs/uploads/?mount={bad}&from={NAME}", login=depot.main).status == 400
    assert depot.request("GET", place, login=depot.main).status == 204


def test_unknown_digest_algorithm_is_refused(depot: TestHub) -> None:
    reply = depot.request("POST", f"/v2/{NAME}/blobs/uploads/?digest-algorithm=md5", login=depot.main)
    assert (reply.status, reply.code) == (400, "DIGEST_INVALID")


def test_cancel_then_everything_is_404(depot: TestHub) -> None:
    place = start(depot)
    depot.request("PATCH", place, body=b"abc", login=depot.main)
    assert depot.request("DELETE", place, login=depot.main).status == 204
    for method in ("GET", "PATCH", "PUT", "DELETE"):
        query = f"?digest={digest(b'abc')}" if method == "PUT" else ""
        assert depot.request(method, place + query, login=depot.main).code == "BLOB_UPLOAD_UNKNOWN"
    assert files(depot, "uploads") == []


def test_the_same_put_twice_says_created_twice_and_patch_after_it_is_404(depot: TestHub) -> None:
    place = start(depot)
    depot.request("PATCH", place, body=b"abc", login=depot.main)
    for _ in range(2):
        assert depot.request("PUT", f"{place}?digest={digest(b'abc')}", login=depot.main).status == 201
    assert depot.request("PATCH", place, body=b"more", login=depot.main).status == 404
    assert depot.request("GET", f"/v2/{NAME}/blobs/{digest(b'abc')}", login=depot.main).body == b"abc"


@pytest.mark.parametrize("size", [3, 1_000_000])
@pytest.mark.parametrize("name", [NAME, "depot/new"])
def test_the_same_put_several_times_at_once_says_created_each_time(depot: TestHub, size: int, name: str) -> None:
    """As a balancer does that got no answer from one node and asks the next one."""
    content = b"a" * size
    place = depot.request("POST", f"/v2/{name}/blobs/uploads/", login=depot.main).headers["location"]
    depot.request("PATCH", place, body=content, login=depot.main)

    async def several() -> list[int]:
        asked = [depot.ask("PUT", f"{place}?digest={digest(content)}", login=depot.main) for _ in range(4)]
        return [reply.status for reply in await asyncio.gather(*asked)]

    assert depot.run(several()) == [201] * 4
    assert depot.request("GET", f"/v2/{name}/blobs/{digest(content)}", login=depot.main).body == content
    if size > 1_000:
        assert len(stored.objects(depot)) == 1
    assert stored.growing(depot) == []


def test_a_session_belongs_to_its_image_and_its_person(depot: TestHub) -> None:
    place = start(depot)
    session = place.rpartition("/")[2]
    depot.bucket("other")
    colleague = depot.user("colleague@example.com", "pull", "push")
    assert depot.request("GET", place, login=colleague).code == "BLOB_UPLOAD_UNKNOWN"
    assert depot.request("DELETE", place, login=colleague).code == "BLOB_UPLOAD_UNKNOWN"
    elsewhere = depot.request("GET", f"/v2/other/app/blobs/uploads/{session}", login=depot.main)
    assert elsewhere.code == "BLOB_UPLOAD_UNKNOWN"


def test_two_writers_of_one_session_do_not_mix(depot: TestHub) -> None:
    place = start(depot)

    async def both() -> list[int]:
        first = depot.ask("PATCH", place, body=[b"a" * 400_000] * 4, login=depot.main)
        second = depot.ask("PATCH", place, body=[b"b" * 400_000] * 4, login=depot.main)
        return sorted(reply.status for reply in await asyncio.gather(first, second))

    statuses = depot.run(both())
    assert statuses in ([202, 416], [202, 404])
    letters = [digest(letter * 1_600_000) for letter in (b"a", b"b")]
    done = [depot.request("PUT", f"{place}?digest={one}", login=depot.main).status for one in letters]
    assert 201 in done


@pytest.mark.parametrize("size", [50_000, SMALL, SMALL + 1, 400_000])
def test_the_same_blob_pushed_by_many_at_once_is_stored_once(depot: TestHub, size: int) -> None:
    content = os.urandom(size)

    async def push() -> int:
        path = f"/v2/{NAME}/blobs/uploads/?digest={digest(content)}"
        return (await depot.ask("POST", path, body=content, login=depot.main)).status

    async def many() -> list[int]:
        return list(await asyncio.gather(*(push() for _ in range(20))))

    assert depot.run(many()) == [201] * 20
    assert len(files(depot, "blobs")) == (1 if size > SMALL else 0)
    rows = depot.run(depot.hub.db.read(lambda rows: rows.all("SELECT size, length(content) FROM blob")))
    assert rows == [(size, None if size > SMALL else size)]
    path = f"/v2/{NAME}/blobs/{digest(content)}"
    assert depot.request("GET", path, login=depot.main).body == content
    part = depot.request("GET", path, headers={"range": "bytes=100-199"}, login=depot.main)
    assert (part.status, part.body) == (206, content[100:200])
    head = depot.request("HEAD", path, login=depot.main)
    assert (head.headers["content-length"], head.body) == (str(size), b"")
    assert files(depot, "uploads") == []


def test_mount_links_what_the_caller_may_read_and_nothing_else(depot: TestHub) -> None:
    stranger = depot.user("stranger@example.com", other_account=True)
    depot.bucket("theirs", email="stranger@example.com")
    depot.bucket("shared", is_public=True)
    private = push_blob(depot, NAME, b"private", depot.main)
    public = push_blob(depot, "shared/app", b"public", depot.main)
    mine = depot.request("POST", f"/v2/depot/two/blobs/uploads/?mount={private}&from={NAME}", login=depot.main)
    assert mine.status == 201
    for source in (f"&from={NAME}", "", "&from=Bad/NAME", "&from=nowhere/at/all"):
        tried = depot.request("POST", f"/v2/theirs/app/blobs/uploads/?mount={private}{source}", login=stranger)
        assert tried.status == 202, source
        assert depot.request("HEAD", f"/v2/theirs/app/blobs/{private}", login=stranger).status == 404
    for source in ("&from=shared/app", ""):
        taken = depot.request("POST", f"/v2/theirs/app/blobs/uploads/?mount={public}{source}", login=stranger)
        assert taken.status == 201, source
    assert depot.request("GET", f"/v2/theirs/app/blobs/{public}", login=stranger).body == b"public"


def test_anonymous_mount_finds_the_own_accounts_blob_with_a_token_too(depot: TestHub) -> None:
    known = push_blob(depot, NAME, b"known", depot.main)
    token = depot.token(depot.main, "repository:depot/three:pull,push")
    assert depot.request("POST", f"/v2/depot/three/blobs/uploads/?mount={known}", login=token).status == 201


def test_push_into_a_missing_bucket_says_how_to_make_it(depot: TestHub) -> None:
    for login in (depot.main, depot.token(depot.main, "repository:missing/app:pull,push")):
        reply = depot.request("POST", "/v2/missing/app/blobs/uploads/", login=login)
        assert (reply.status, reply.code) == (404, "NAME_UNKNOWN")
        assert "bucket create missing" in reply.json["errors"][0]["message"]


def test_idle_uploads_are_dropped(depot: TestHub) -> None:
    from entrepot.ops import janitor

    place = start(depot)
    depot.request("PATCH", place, body=b"abc", login=depot.main)
    now = depot.hub.clock()
    depot.hub.clock = lambda: now + depot.settings.upload_seconds - 5
    assert depot.run(janitor.drop_idle_uploads(depot.hub)) == 0
    depot.hub.clock = lambda: now + depot.settings.upload_seconds + 5
    assert depot.run(janitor.drop_idle_uploads(depot.hub)) == 1
    assert files(depot, "uploads") == []
    assert depot.request("GET", place, login=depot.main).status == 404


def test_blob_delete_takes_it_out_of_this_image_only(depot: TestHub) -> None:
    name = push_blob(depot, NAME, b"layer", depot.main)
    push_blob(depot, "depot/two", b"layer", depot.main)
    assert depot.request("DELETE", f"/v2/{NAME}/blobs/{name}", login=depot.main).status == 202
    assert depot.request("GET", f"/v2/{NAME}/blobs/{name}", login=depot.main).code == "BLOB_UNKNOWN"
    assert depot.request("DELETE", f"/v2/{NAME}/blobs/{name}", login=depot.main).status == 404
    assert depot.request("GET", f"/v2/depot/two/blobs/{name}", login=depot.main).body == b"layer"


def test_upload_bytes_that_no_row_knows_are_removed_in_time(depot: TestHub) -> None:
    from entrepot.ops import janitor

    start(depot)
    known = start(depot)
    depot.request("PATCH", known, body=b"abc", login=depot.main)
    orphan = depot.settings.data_dir / "uploads" / "left-by-a-kill"
    orphan.write_bytes(b"half")
    assert depot.run(janitor.drop_orphan_uploads(depot.hub)) == 0
    os.utime(orphan, (1, 1))
    assert depot.run(janitor.drop_orphan_uploads(depot.hub)) == 1
    assert not orphan.exists()
    assert depot.request("GET", known, login=depot.main).headers["range"] == "0-2"


def test_a_late_second_writer_cannot_change_what_was_acknowledged(depot: TestHub) -> None:
    """The row follows the bytes by a moment; whoever comes in that moment must not start from the old place."""
    good, evil = b"a" * 400_000, b"b" * 400_000
    place = start(depot)
    note = depot.hub.db.note

    async def slow_note(*words: object, **given: object) -> object:
        await asyncio.sleep(0.2)  # a disk that takes its time
        return await note(*words, **given)  # type: ignore[arg-type]

    async def both() -> list[int]:
        first = asyncio.ensure_future(depot.ask("PATCH", place, body=good, login=depot.main))
        await asyncio.sleep(0.1)
        second = await depot.ask("PATCH", place, body=evil, login=depot.main)
        return [(await first).status, second.status]

    depot.hub.db.note = slow_note  # type: ignore[method-assign]
    try:
        statuses = depot.run(both())
    finally:
        depot.hub.db.note = note  # type: ignore[method-assign]
    assert statuses == [202, 416]
    assert depot.request("PUT", f"{place}?digest={digest(good)}", login=depot.main).status == 201
    assert depot.request("GET", f"/v2/{NAME}/blobs/{digest(good)}", login=depot.main).body == good


def test_a_chunk_at_the_wrong_place_is_told_the_right_one(depot: TestHub) -> None:
    place = start(depot)
    depot.request("PATCH", place, headers={"content-range": "0-99"}, body=b"x" * 100, login=depot.main)
    wrong = depot.request("PATCH", place, headers={"content-range": "50-59"}, body=b"y" * 10, login=depot.main)
    assert (wrong.status, wrong.headers["range"], wrong.headers["location"]) == (416, "0-99", place)
    on = depot.request("PATCH", wrong.headers["location"], headers={"content-range": "100-109"}, body=b"z" * 10,
                       login=depot.main)  # fmt: skip
    assert (on.status, on.headers["range"]) == (202, "0-109")
