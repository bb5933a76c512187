"""Ways to lose or leak something that somebody tried: each was open once."""

# ruff: noqa: F811, SIM105, RUF059
import asyncio
import os
import threading

import pytest

from entrepot.ops import check, collect, janitor, sessions, uploads
from entrepot.ops.collect import READERS
from entrepot.store import growing_file
from tests import stored
from tests.registry.kit import digest, push_blob, push_image
from tests.registry.test_collect import DAY, INDEX, WEEK, Aging, depot, descriptor, document, put  # noqa: F401

APP = "depot/app"


def fsck(hub, deep=True):
    return hub.run(check.check(hub.hub, deep=deep, repair=False, progress=lambda *_: None))


def blob(hub, name, image=APP):
    return hub.request("GET", f"/v2/{image}/blobs/{name}", login=hub.main)


def start(hub, image=APP):
    return hub.request("POST", f"/v2/{image}/blobs/uploads/", login=hub.main).headers["location"]


# --- findings -------------------------------------------------------------


def test_index_of_blobs_buildkit_cache(depot):
    """BuildKit's registry cache: an index whose manifests are layer blobs."""
    layer, config = os.urandom(3000), b'{"layers":[]}'
    listed = [
        {"mediaType": t, "digest": push_blob(depot, APP, c, depot.main), "size": len(c)}
        for t, c in (
            ("application/vnd.oci.image.layer.v1.tar+gzip", layer),
            ("application/vnd.buildkit.cacheconfig.v0", config),
        )
    ]
    put(depot, {"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}, "cache")
    depot.later(DAY + 1)
    assert depot.pull("cache") == 200
    assert [blob(depot, one["digest"]).status for one in listed] == [200, 200]


def test_pushed_foreign_layer(depot):
    content = os.urandom(3000)
    name = push_blob(depot, APP, content, depot.main)
    made = document(depot)
    made["layers"].append(
        {
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "digest": name,
            "size": 3000,
            "urls": ["https://example.com/l"],
        }
    )
    put(depot, made, "v1")
    depot.later(DAY + 1)
    assert blob(depot, name).status == 200


def test_batch_forgets_referrer(depot):
    subject = document(depot)
    s = put(depot, subject, "digest")
    depot.now += 1
    r = put(depot, document(depot, subject=descriptor(subject)), "digest")
    depot.later(WEEK + 10)
    for _ in range(10):
        depot.later(2 * DAY)
    assert (depot.pull(s), depot.pull(r)) == (404, 404)
    assert depot.count("blob") == 0


def test_batch_forgets_child(depot):
    child = document(depot)
    index = put(depot, {"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(child)]}, "digest")
    depot.now += 1
    c = put(depot, child, "digest")
    depot.later(WEEK + 10)
    for _ in range(10):
        depot.later(2 * DAY)
    assert (depot.pull(index), depot.pull(c)) == (404, 404)


def test_head_child_then_index(depot):
    child = document(depot)
    c = put(depot, child, "digest")
    depot.now += WEEK - 10
    assert depot.request("HEAD", f"/v2/{APP}/manifests/{c}", login=depot.main).status == 200
    depot.later(20)
    put(depot, {"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(child)]}, "multi")
    assert depot.pull(c) == 200


def test_power_cut_zeros(depot):
    stored.only_files()
    if depot.settings.row_bytes:
        pytest.skip()
    content = os.urandom(300_000)
    place = start(depot)
    depot.request("PATCH", place, body=content, login=depot.main)
    [file] = list((depot.settings.data_dir / "uploads").iterdir())
    depot.reopen()
    with file.open("r+b") as f:  # size was written out, some pages were not
        f.seek(4096)
        f.write(bytes(8192))
    reply = depot.request("PUT", f"{place}?digest={digest(content)}", login=depot.main)
    assert reply.status != 201 or blob(depot, digest(content)).body == content


def test_cancelled_request_writes_to_a_closed_descriptor(depot, monkeypatch, tmp_path):
    place = start(depot)
    real = growing_file._Writer.write
    entered, go = threading.Event(), threading.Event()

    def slow(self, piece):
        entered.set()
        go.wait(5)
        return real(self, piece)

    monkeypatch.setattr(growing_file._Writer, "write", slow)
    victim = tmp_path / "victim"

    async def story():
        task = asyncio.ensure_future(depot.ask("PATCH", place, body=[b"E" * 600_000] * 3, login=depot.main))
        await asyncio.to_thread(entered.wait)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass
        # any other file that is opened now gets the number
        fds = [os.open(victim, os.O_RDWR | os.O_CREAT) for _ in range(3)]
        go.set()
        await asyncio.sleep(0.5)
        for fd in fds:
            os.close(fd)

    depot.run(story())
    assert victim.read_bytes() == b""


@pytest.mark.parametrize("what", ["oserror", "dangling"])
def test_collector_survives(depot, monkeypatch, what):
    push_blob(depot, APP, os.urandom(3000), depot.main)
    if what == "oserror":
        if depot.settings.row_bytes:
            pytest.skip()
        depot.later(DAY + 1)

        async def bad(key):
            raise OSError(30, "Read-only file system")

        monkeypatch.setattr(depot.hub.blobs, "delete", bad)
        depot.now += READERS + 1
    else:
        d, _ = push_image(depot, APP, "v1", depot.main)

        def wreck(rows):
            rows.run("DELETE FROM image_blob")
            rows.run("INSERT INTO gc_blob SELECT id, 0 FROM blob WHERE id NOT IN (SELECT blob_id FROM gc_blob)")

        depot.run(depot.hub.db.write(wreck))

    async def story():
        task = asyncio.ensure_future(collect.run(depot.hub))
        await asyncio.sleep(0.5)
        done = task.done()
        exc = task.exception() if done else None
        task.cancel()
        return done, exc

    assert depot.run(story()) == (False, None)


def test_two_small_puts_of_one_session(depot):
    place = start(depot)
    a, b = b"a" * 100, b"b" * 100

    async def both():
        return [
            r.status
            for r in await asyncio.gather(
                *(depot.ask("PUT", f"{place}?digest={digest(c)}", body=c, login=depot.main) for c in (a, b))
            )
        ]

    got = depot.run(both())
    assert 500 not in got, got


def test_sha256_and_sha512(depot):
    place = start(depot)
    a = b"a" * 100
    depot.request("PATCH", place, body=a, login=depot.main)

    async def both():
        return [
            r.status
            for r in await asyncio.gather(
                *(depot.ask("PUT", f"{place}?digest={digest(a, c)}", login=depot.main) for c in ("sha256", "sha512"))
            )
        ]

    got = depot.run(both())
    assert 500 not in got, got


def test_bucket_deleted_under_patch(depot):
    push_blob(depot, APP, b"x", depot.main)
    place = start(depot)

    async def story():
        async def body():
            pass

        from entrepot.ops.context import Ctx

        gate = asyncio.Event()
        real = depot.hub.db.note

        async def note(*a, **k):
            await gate.wait()
            return await real(*a, **k)

        depot.hub.db.note = note
        t = asyncio.ensure_future(depot.ask("PATCH", place, body=b"abc", login=depot.main))
        await asyncio.sleep(0.1)
        from entrepot.ops import buckets, people

        who = await people.operator(depot.hub, depot.email)
        await buckets.delete(Ctx(depot.hub, who), "depot")
        gate.set()
        r = await t
        depot.hub.db.note = real
        return r.status

    assert depot.run(story()) != 500


def test_untagged_setting_from_for_ever_to_a_week(loop, tmp_path):
    hub = Aging(loop, tmp_path / "d", untagged_seconds=0)
    hub.bucket("depot")
    first = put(hub, document(hub), "v1")
    hub.now += 10 * WEEK
    put(hub, document(hub), "v1")  # the first lost its tag just now
    hub.close()
    import msgspec

    hub.settings = msgspec.structs.replace(hub.settings, untagged_seconds=WEEK)
    hub.open()
    hub.hub.clock = lambda: hub.now
    hub.later(60)
    ok = hub.pull(first)
    hub.close()
    assert ok == 200


def test_janitor_forgets_then_session_is_reborn_under_a_finish(loop, tmp_path, monkeypatch):
    hub = Aging(loop, tmp_path / "d", upload_seconds=60, row_bytes=0)
    hub.bucket("depot")
    good, evil = os.urandom(300_000), os.urandom(300_000)
    place = start(hub)
    hub.request("PATCH", place, body=good, login=hub.main)
    hub.now += 100
    want = digest(good, "sha512")
    real = hub.hub.blobs.hash_upload

    async def slow(*a):
        await real(*a)
        await janitor.drop_idle_uploads(hub.hub)
        await hub.ask("PATCH", place, body=evil, login=hub.main)

    monkeypatch.setattr(hub.hub.blobs, "hash_upload", slow)
    hub.request("PUT", f"{place}?digest={want}", login=hub.main)
    got = blob(hub, want)
    hub.close()
    assert got.status != 200 or got.body == good


def test_two_workers_first_push_drops_acknowledged_bytes(loop, tmp_path, monkeypatch):
    """B knew the session before A made the image; B's request then unlinks A's acknowledged bytes."""
    hub = Aging(loop, tmp_path / "d")
    hub.bucket("depot")
    place = start(hub)
    sid = place.rpartition("/")[2]
    from entrepot.ops import people
    from entrepot.ops.context import Ctx

    content = os.urandom(300_000)

    async def story():
        who = await people.operator(hub.hub, hub.email)
        ctx = Ctx(hub.hub, who)
        bucket = (
            await hub.hub.db.read(__import__("entrepot.store.sql.blobs", fromlist=["x"]).locate_image, "depot", "app")
        )[0].id
        stale = await sessions.find(ctx, sessions.Place(bucket, "app", None), sid)  # worker B, first look
        r = await hub.ask("PATCH", place, body=content, login=hub.main)  # worker A, acknowledged

        async def body():
            yield b"late"

        try:
            await uploads.append(ctx, stale, None, body())
        except Exception as e:
            print("B:", e)
        r2 = await hub.ask("PUT", f"{place}?digest={digest(content)}", login=hub.main)
        return r.status, r2.status

    got = hub.run(story())
    hub.close()
    assert got == (202, 201)
