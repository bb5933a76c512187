"""Stored bytes that rot, vanish or cannot be read: found, not served, told, and healed by the next push."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from entrepot.ops import check, collect, damage, janitor, scrub
from entrepot.store.blobs import Unreadable
from entrepot.store.sql import damage as sql
from tests import stored
from tests.conftest import Loop, Reply
from tests.registry.kit import digest, manifest_of, push_blob, put_manifest
from tests.registry.test_collect import DAY, Aging

APP = "depot/app"
OTHER = "depot/other"
ROT = {
    "flipped": lambda content: bytes([content[0] ^ 1]) + content[1:],
    "short": lambda content: content[:-1],
    "long": lambda content: content + b"x",
}


@pytest.fixture(params=["file", "row"])
def depot(request: pytest.FixtureRequest, loop: Loop, tmp_path: Path) -> Iterator[Aging]:
    """Blobs as files, and blobs in their rows; the scrub as fast as it can."""
    rows = 0 if request.param == "file" else 131_072
    made = Aging(loop, tmp_path / "data", row_bytes=rows, scrub_bytes_per_second=10**12)
    made.bucket("depot")
    yield made
    made.close()


def file_of(hub: Aging, name: str) -> stored.Kept:
    return stored.object_of(hub, name)


def rot(hub: Aging, name: str, change: Any) -> None:
    """Change the stored bytes of a blob behind the hub's back; None removes them."""

    def in_row(rows: Any) -> None:
        row = rows.one("SELECT content FROM blob WHERE digest = :digest", digest=name)
        rows.run("UPDATE blob SET content = :new WHERE digest = :digest", new=change(bytes(row[0])), digest=name)

    if hub.settings.row_bytes:
        hub.run(hub.hub.db.write(in_row))
    elif change is None:
        file_of(hub, name).unlink()
    else:
        path = file_of(hub, name)
        path.write_bytes(change(path.read_bytes()))


def pass_(hub: Aging) -> None:
    """A whole pass of the scrub."""

    async def story() -> None:
        while await scrub.step(hub.hub, "test"):
            pass

    hub.now += scrub.ROUND + 1
    hub.run(story())


def ask(hub: Aging, method: str, name: str, image: str = APP, **more: Any) -> Reply:
    return hub.request(method, f"/v2/{image}/blobs/{name}", login=hub.main, **more)


def damaged(hub: Aging) -> list[tuple[str, str, str]]:
    listed = hub.call("ListDamaged")
    assert listed["TotalCount"] == len(listed["DamagedSet"])
    return [(one["ImageName"], one["Kind"], one["Fault"]) for one in listed["DamagedSet"]]


def audit(hub: Aging) -> list[str]:
    lines = hub.call("ListAuditRecords", Limit=100)["AuditSet"]
    return [one["Action"] for one in lines if one["Action"].startswith("Damage")]


@pytest.mark.parametrize("how", ROT)
def test_what_rots_is_found_not_served_and_healed_by_a_push(depot: Aging, how: str) -> None:
    content = os.urandom(3000)
    name = push_blob(depot, APP, content, depot.main)
    image = manifest_of([(name, 3000)])
    assert put_manifest(depot, APP, "v1", image, depot.main).status == 201
    mount = f"/v2/{OTHER}/blobs/uploads/?mount={name}&from={APP}"
    assert depot.request("POST", mount, login=depot.main).status == 201
    rot(depot, name, ROT[how])
    pass_(depot)
    fault = {"flipped": "damaged"}.get(how, how)
    assert damaged(depot) == [("app", "Blob", fault), ("other", "Blob", fault)]
    assert audit(depot) == ["DamageFound", "DamageFound"]
    for place in (APP, OTHER):
        assert [ask(depot, method, name, place).status for method in ("HEAD", "GET")] == [404, 404]
    assert "push it again" in ask(depot, "GET", name).json["errors"][0]["message"]
    assert ask(depot, "GET", name, headers={"range": "bytes=0-9"}).status == 404
    assert depot.request("POST", f"/v2/depot/third/blobs/uploads/?mount={name}", login=depot.main).status == 202
    assert put_manifest(depot, APP, "v2", image, depot.main).code == "MANIFEST_BLOB_UNKNOWN"
    # The same bytes again, into one image: every image that has the blob is whole.
    assert push_blob(depot, APP, content, depot.main) == name
    for place in (APP, OTHER):
        assert ask(depot, "HEAD", name, place).status == 200
        assert ask(depot, "GET", name, place).body == content
    for place in (APP, OTHER):
        assert put_manifest(depot, place, "v2", image, depot.main).status == 201
    assert damaged(depot) == []
    assert audit(depot)[:2] == ["DamageHealed", "DamageHealed"]
    pass_(depot)
    depot.later(collect.READERS + 1)
    assert ask(depot, "GET", name, OTHER).body == content
    assert depot.is_clean()


def test_a_rotten_file_is_set_aside_for_a_while(loop: Loop, tmp_path: Path) -> None:
    depot = Aging(loop, tmp_path / "data", row_bytes=0, scrub_bytes_per_second=10**12)
    depot.bucket("depot")
    content = os.urandom(3000)
    name = push_blob(depot, APP, content, depot.main)
    rot(depot, name, ROT["flipped"])
    pass_(depot)
    [aside] = depot.files()
    assert ("quarantine" in aside.parts, aside.read_bytes()) == (True, ROT["flipped"](content))
    # A second look does not tell it again, nor call it missing because it is aside.
    pass_(depot)
    assert [one[2] for one in damaged(depot)] == ["damaged"]
    assert len(audit(depot)) == 1
    push_blob(depot, APP, content, depot.main)
    if isinstance(aside, Path):
        os.utime(aside, (depot.now, depot.now))
    else:
        depot.now = time.time()
    depot.now += 6 * DAY
    assert depot.run(janitor.drop_quarantined(depot.hub)) == 0
    depot.now += 2 * DAY
    assert depot.run(janitor.drop_quarantined(depot.hub)) == 1
    assert ask(depot, "GET", name).body == content
    depot.close()


class TestFiles:
    """What only files can suffer."""

    @pytest.fixture
    def depot(self, loop: Loop, tmp_path: Path) -> Iterator[Aging]:
        made = Aging(loop, tmp_path / "data", row_bytes=0)
        made.bucket("depot")
        yield made
        made.close()

    @pytest.mark.parametrize("first", ["HEAD", "GET", "mount", "push", "PUT again"])
    def test_a_lost_file_is_noticed_by_whoever_comes_first(self, depot: Aging, first: str) -> None:
        content = os.urandom(3000)
        name = push_blob(depot, APP, content, depot.main)
        rot(depot, name, None)
        if first == "mount":
            path = f"/v2/{OTHER}/blobs/uploads/?mount={name}&from={APP}"
            assert depot.request("POST", path, login=depot.main).status == 202
        elif first == "PUT again":
            started = depot.request("POST", f"/v2/{APP}/blobs/uploads/", login=depot.main).headers["location"]
            # No bytes and this digest: "it is there already" would be a lie.
            assert depot.request("PUT", f"{started}?digest={name}", login=depot.main).code == "DIGEST_INVALID"
        elif first != "push":
            assert ask(depot, first, name).status == 404
        if first != "push":
            assert damaged(depot)[0] == ("app", "Blob", "missing")
        push_blob(depot, APP, content, depot.main)
        assert ask(depot, "GET", name).body == content
        assert damaged(depot) == []
        depot.later(collect.READERS + 1)
        assert depot.is_clean()

    def test_bytes_that_come_back_are_served_again(self, depot: Aging) -> None:
        content = os.urandom(3000)
        name = push_blob(depot, APP, content, depot.main)
        path = file_of(depot, name)
        path.unlink()
        assert ask(depot, "GET", name).status == 404
        path.write_bytes(content)  # from a copy
        [found] = depot.run(check.check(depot.hub, deep=False, repair=True, progress=lambda *_: None))
        assert (found.kind, found.is_repaired) == ("marked", True)
        assert ask(depot, "GET", name).body == content
        assert audit(depot) == ["DamageHealed", "DamageFound"]
        assert depot.is_clean()

    def test_a_volume_that_is_not_mounted_marks_nothing(self, depot: Aging) -> None:
        content = os.urandom(3000)
        name = push_blob(depot, APP, content, depot.main)
        with stored.away(depot):
            for method in ("HEAD", "GET"):
                assert ask(depot, method, name).status == 503
            started = depot.request("POST", f"/v2/{APP}/blobs/uploads/?digest={name}", body=content, login=depot.main)
            assert started.status == 503
            [found] = depot.run(check.check(depot.hub, deep=True, repair=True, progress=lambda *_: None))
            assert (found.kind, "mounted" in found.what or "right place" in found.what) == ("unchecked", True)
        assert ask(depot, "GET", name).body == content
        assert depot.is_clean()

    def test_a_blob_that_breaks_off_while_it_is_served_is_checked_next(self, depot: Aging) -> None:
        content = os.urandom(3_000_000)
        name = push_blob(depot, APP, content, depot.main)
        real = depot.hub.blobs.stream

        async def failing(key: str, start: int, length: int) -> Any:
            async for piece in real(key, start, length):
                yield piece
                raise Unreadable("unreadable")

        depot.hub.blobs.stream = failing
        reply = ask(depot, "GET", name, headers={"range": "bytes=0-2999998"})
        assert (reply.status, 0 < len(reply.body) <= 1024 * 1024) == (206, True)
        assert [one.digest for one in depot.run(depot.hub.db.read(sql.suspects, 10))] == [name]
        depot.hub.blobs.stream = real
        depot.run(scrub.step(depot.hub, "test"))
        # The medium has recovered: nothing is marked, and nothing stays suspected.
        assert (damaged(depot), depot.count("suspect")) == ([], 0)
        rot(depot, name, ROT["flipped"])
        depot.run(depot.hub.db.write(sql.suspect, 1, 0))
        depot.run(scrub.step(depot.hub, "test"))
        assert damaged(depot) == [("app", "Blob", "damaged")]


def test_a_rotten_manifest_is_not_served_and_heals(depot: Aging) -> None:
    name = push_blob(depot, APP, os.urandom(100), depot.main)
    content = manifest_of([(name, 100)])
    reply = put_manifest(depot, APP, "v1", content, depot.main)
    bad = "UPDATE manifest SET content = :more || content"
    depot.run(depot.hub.db.write(lambda rows: rows.run(bad, more=b"{}")))
    pass_(depot)
    assert damaged(depot) == [("app", "Manifest", "damaged")]
    for reference in ("v1", digest(content)):
        pulled = depot.request("GET", f"/v2/{APP}/manifests/{reference}", login=depot.main)
        assert (pulled.status, pulled.code) == (404, "MANIFEST_UNKNOWN")
        assert "push the image again" in pulled.json["errors"][0]["message"]
    assert put_manifest(depot, APP, "v1", content, depot.main).headers == reply.headers
    assert depot.request("GET", f"/v2/{APP}/manifests/v1", login=depot.main).body == content
    assert damaged(depot) == []
    assert depot.is_clean()


def test_a_push_heals_a_manifest_whose_rot_nobody_found_yet(depot: Aging) -> None:
    name = push_blob(depot, APP, os.urandom(100), depot.main)
    content = manifest_of([(name, 100)])
    put_manifest(depot, APP, "v1", content, depot.main)
    depot.run(depot.hub.db.write(lambda rows: rows.run("UPDATE manifest SET content = :bad", bad=b"\0")))
    put_manifest(depot, APP, "v1", content, depot.main)
    assert depot.request("GET", f"/v2/{APP}/manifests/v1", login=depot.main).body == content


def test_a_pull_costs_one_statement_as_before(depot: Aging) -> None:
    name = push_blob(depot, APP, os.urandom(3000), depot.main)
    put_manifest(depot, APP, "v1", manifest_of([(name, 3000)]), depot.main)
    token = depot.token(depot.main, f"repository:{APP}:pull")
    for path in ("manifests/v1", f"blobs/{name}"):
        depot.request("GET", f"/v2/{APP}/{path}", login=token)
        before = depot.queries()
        assert depot.request("GET", f"/v2/{APP}/{path}", login=token).status == 200
        assert depot.queries() - before == 1


def test_two_pushes_heal_one_blob_at_once(depot: Aging) -> None:
    import asyncio

    content = os.urandom(3000)
    name = push_blob(depot, APP, content, depot.main)
    rot(depot, name, ROT["flipped"])
    pass_(depot)

    async def both() -> list[int]:
        path = f"/v2/{APP}/blobs/uploads/?digest={name}"
        replies = await asyncio.gather(*(depot.ask("POST", path, body=content, login=depot.main) for _ in range(6)))
        return [one.status for one in replies]

    assert depot.run(both()) == [201] * 6
    assert ask(depot, "GET", name).body == content
    depot.later(collect.READERS + 1)
    assert depot.is_clean()
    held = [one for one in depot.files() if "quarantine" not in one.parts]
    assert len(held) == (0 if depot.settings.row_bytes else 1)


def test_a_pass_goes_on_where_it_was_and_rests_between_passes(depot: Aging) -> None:
    names = [push_blob(depot, APP, os.urandom(300), depot.main) for _ in range(scrub.BATCH * 2 + 5)]
    pass_(depot)
    position = "SELECT position, started_at FROM scrub WHERE name = 'blob'"

    def where() -> Any:
        return depot.run(depot.hub.db.read(lambda rows: rows.one(position)))

    assert where() == (0, int(depot.now))
    assert not depot.run(scrub.step(depot.hub, "test"))  # it was a moment ago
    depot.now += scrub.ROUND + 1
    assert depot.run(scrub.step(depot.hub, "test"))
    assert where()[0] == scrub.BATCH
    rot(depot, names[0], ROT["flipped"])
    rot(depot, names[-1], ROT["flipped"])
    depot.now += 5
    assert not depot.run(scrub.step(depot.hub, "another"))  # held by the first one
    depot.reopen()
    depot.hub.clock = lambda: depot.now
    depot.now += scrub.HOLD + 1  # the first one died
    while depot.run(scrub.step(depot.hub, "another")):
        pass
    # It went on behind the first batch: what rotted there waits for the next pass.
    assert len(damaged(depot)) == 1
    pass_(depot)
    assert len(damaged(depot)) == 2


def test_the_scrub_is_off_where_the_operator_says_so(loop: Loop, tmp_path: Path) -> None:
    hub = Aging(loop, tmp_path / "data", scrub_bytes_per_second=0)
    hub.bucket("depot")
    name = push_blob(hub, APP, os.urandom(300), hub.main)
    rot(hub, name, ROT["flipped"])
    pass_(hub)
    assert damaged(hub) == []
    hub.close()


def test_other_accounts_are_told_nothing(depot: Aging) -> None:
    name = push_blob(depot, APP, os.urandom(300), depot.main)
    rot(depot, name, ROT["flipped"])
    pass_(depot)
    from entrepot.ops import people

    other = depot.run(
        people.add_user(depot.hub, "o@example.com", password="battery staple", rights=frozenset(), account_of=None)
    )
    keys = (other.public_key, other.private_key)
    assert depot.call_as(keys, "ListDamaged")["DamagedSet"] == []
    assert depot.call_as(keys, "ListDamaged", BucketName="depot")["RetCode"] == 43023
    assert depot.call("ListDamaged", BucketName="depot", Limit=0)["TotalCount"] == 1


def test_an_unreadable_object_stays_where_it_is_until_it_can_be_read(loop: Loop, tmp_path: Path) -> None:
    depot = Aging(loop, tmp_path / "data", row_bytes=0, scrub_bytes_per_second=10**12)
    depot.bucket("depot")
    content = os.urandom(3000)
    name = push_blob(depot, APP, content, depot.main)
    real = depot.hub.blobs.hash_stored

    async def failing(*_: Any) -> None:
        raise Unreadable("unreadable")

    depot.hub.blobs.hash_stored = failing
    pass_(depot)
    assert damaged(depot) == [("app", "Blob", "unreadable")]
    depot.hub.blobs.hash_stored = real
    pass_(depot)
    assert (damaged(depot), ask(depot, "GET", name).body) == ([], content)
    depot.close()


def test_repair_marks_links_and_removes_and_says_what_is_left(depot: Aging) -> None:
    content = os.urandom(3000)
    name = push_blob(depot, APP, content, depot.main)
    put_manifest(depot, APP, "v1", manifest_of([(name, 3000)]), depot.main)
    rot(depot, name, ROT["flipped"])
    depot.run(depot.hub.db.write(lambda rows: rows.run("DELETE FROM image_blob")))
    depot.run(depot.hub.db.write(lambda rows: rows.run("DELETE FROM bucket_blob")))
    depot.run(depot.hub.db.write(lambda rows: rows.run("UPDATE bucket SET bytes = bytes - 3000")))

    def fsck(*, repair: bool) -> dict[str, tuple[bool, str]]:
        found = depot.run(check.check(depot.hub, deep=True, repair=repair, progress=lambda *_: None))
        return {one.kind: (one.is_repaired, one.next) for one in found}

    assert {kind: done for kind, (done, _) in fsck(repair=False).items()}["dangling"] is False
    told = fsck(repair=True)
    assert told["dangling"] == (True, "linked again")
    assert told["damaged"][0] is False
    assert "push it again" in told["damaged"][1]
    assert set(fsck(repair=True)) <= {"damaged", "counter"}
    assert push_blob(depot, APP, content, depot.main) == name
    assert fsck(repair=False) == {}
    assert ask(depot, "GET", name).body == content


def test_accept_mode_heals_too(loop: Loop, tmp_path: Path) -> None:
    hub = Aging(loop, tmp_path / "data", missing_content="accept", scrub_bytes_per_second=10**12)
    hub.bucket("depot")
    content = os.urandom(300)
    name = push_blob(hub, APP, content, hub.main)
    rot(hub, name, ROT["flipped"])
    pass_(hub)
    assert put_manifest(hub, APP, "v1", manifest_of([(name, 300)]), hub.main).status == 201
    push_blob(hub, APP, content, hub.main)
    hub.later(2 * DAY)
    assert ask(hub, "GET", name).body == content
    assert hub.is_clean()
    hub.close()


def test_marking_comes_too_late_for_a_blob_that_was_healed(depot: Aging) -> None:
    """The scrub read the old object; a push replaced it before the mark was written."""
    content = os.urandom(3000)
    name = push_blob(depot, APP, content, depot.main)
    seen = depot.run(depot.hub.db.read(sql.by_digest, name))
    rot(depot, name, ROT["short"])
    push_blob(depot, APP, content, depot.main)
    assert not depot.run(damage.mark(depot.hub, seen, "short"))
    assert ask(depot, "GET", name).body == content
