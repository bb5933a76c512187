"""A hub goes into a folder and comes back the same, whatever happens on the way."""

import asyncio
import json
import os
import random
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot import config, wiring
from entrepot.errors import HubError, Kind
from entrepot.ops import collect, holds
from entrepot.ops.collect import Report
from entrepot.store import backup_folder, rows_file
from tests import stored
from tests.backup.kit import BackupFolder, Restored, back_up, bring_back, everything, findings, verified
from tests.conftest import Loop, TestHub
from tests.registry.kit import OCI_INDEX, digest, manifest_of, push_blob, put_manifest
from tests.stored import Kept


def run(hub: TestHub, target: Path, **given: Any) -> Any:
    return hub.run(back_up(hub.hub, target, **given))


def image(hub: TestHub, name: str, tag: str, size: int = 200_000) -> tuple[str, bytes]:
    """An image with a layer that is a stored object; its manifest's digest, and the layer."""
    layer = os.urandom(size)
    blobs = [(push_blob(hub, name, one, hub.main), len(one)) for one in (b"{}", layer)]
    reply = put_manifest(hub, name, tag, manifest_of(blobs), hub.main)
    return reply.headers["docker-content-digest"], layer


CONTENT = st.lists(
    st.tuples(
        st.sampled_from(["app", "team/app"]),
        st.sampled_from(["v1", "v2", "latest"]),
        st.sampled_from([0, 1, 1000, 131_072, 131_073, 300_000]),
        st.sampled_from(["image", "index", "referrer", "delete", "sha512"]),
    ),
    max_size=8,
)


def make(hub: TestHub, steps: list[tuple[str, str, int, str]]) -> None:
    """Push and delete as told."""
    for place, (name, tag, size, what) in enumerate(steps):
        path = f"depot/{name}"
        if what == "delete":
            hub.request("DELETE", f"/v2/{path}/manifests/{tag}", login=hub.main)
            continue
        body = random.Random(place).randbytes(size)
        algorithm = "sha512" if what == "sha512" else "sha256"
        blobs = [(push_blob(hub, path, one, hub.main, algorithm), len(one)) for one in (b"{}", body)]
        content = manifest_of(blobs)
        name_of = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest(content),
                   "size": len(content)}  # fmt: skip
        assert put_manifest(hub, path, tag, content, hub.main).status == 201
        if what == "referrer":
            more = manifest_of(blobs, subject=name_of)
            assert put_manifest(hub, path, digest(more), more, hub.main).status == 201
        if what == "index":
            more = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [name_of]}).encode()
            assert put_manifest(hub, path, tag, more, hub.main, OCI_INDEX).status == 201


@settings(max_examples=12)
@given(first=CONTENT, then=CONTENT)
def test_every_row_and_every_byte_comes_back(loop: Loop, first: Any, then: Any) -> None:
    folder = Path(tempfile.mkdtemp())
    hub = TestHub(loop, folder / "data")
    try:
        hub.bucket("depot")
        make(hub, first)
        before = loop.run(everything(hub.hub))
        older = run(hub, folder / "target")
        make(hub, then)
        now = loop.run(everything(hub.hub))
        newer = run(hub, folder / "target")
        assert newer.copied == len(set(dict(now["objects"])) - set(dict(before["objects"])))
        assert (older.damaged, newer.damaged, verified(folder / "target")) == ([], [], [])
        for name, wanted in ((older.generation, before), (None, now)):
            back = folder / f"back-{name}"
            report = loop.run(bring_back(folder / "target", back, name=name))
            assert (report.lost, report.damaged) == ([], [])
            restored = Restored(loop, back, hub)
            assert loop.run(everything(restored.hub)) == wanted
            assert loop.run(findings(restored.hub)) == []
            restored.close()
    finally:
        hub.close()
        shutil.rmtree(folder)


def test_a_restored_hub_is_used_as_before_and_gives_out_new_ids(hub: TestHub, loop: Loop, tmp_path: Path) -> None:
    hub.bucket("depot")
    name, layer = image(hub, "depot/app", "v1")
    started = hub.request("POST", "/v2/depot/app/blobs/uploads/", login=hub.main).headers["location"]
    hub.request("PATCH", started, body=b"half", login=hub.main)
    run(hub, tmp_path / "target")
    hub.bucket("later")
    later_id = hub.run(hub.hub.db.read(lambda rows: rows.one("SELECT MAX(id) FROM bucket")))[0]
    loop.run(bring_back(tmp_path / "target", tmp_path / "back"))
    back = Restored(loop, tmp_path / "back", hub)
    reply = back.request("GET", "/v2/depot/app/manifests/v1", login=hub.main)
    assert (reply.status, reply.headers["docker-content-digest"]) == (200, name)
    assert back.request("GET", f"/v2/depot/app/blobs/{digest(layer)}", login=hub.main).body == layer
    assert back.call("GetImageBucketList", Region="cn-bj2")["TotalCount"] == 1
    assert back.request("PATCH", started, body=b"half", login=hub.main).code == "BLOB_UPLOAD_UNKNOWN"
    back.bucket("newer")
    new_id = back.run(back.hub.db.read(lambda rows: rows.one("SELECT MAX(id) FROM bucket")))[0]
    assert new_id > later_id
    assert (tmp_path / "back" / "hub.key").stat().st_mode & 0o777 == 0o600
    back.close()


def test_a_backup_under_pushes_deletes_and_a_collector_without_grace(
    loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect, "READERS", 0)  # what is dead goes in the same round, unless it is held
    hub = TestHub(loop, tmp_path / "data", row_bytes=0, untagged_seconds=1, grace_seconds=0)
    hub.bucket("depot")
    now = [int(hub.hub.clock())]
    hub.hub.clock = lambda: now[0]
    kept = {f"keep{place}": image(hub, "depot/app", f"keep{place}", 5000)[0] for place in range(30)}
    for place in range(60):
        image(hub, "depot/app", f"drop{place}", 5000)
    target = tmp_path / "target"
    collected = Report()

    async def story() -> Any:
        stop, enough = asyncio.Event(), asyncio.Event()

        async def collector() -> None:
            while not stop.is_set():
                now[0] += 2
                await collect.step(hub.hub, collected)
                if collected.blobs >= 60:
                    enough.set()
                await asyncio.sleep(0)

        async def deleter() -> None:
            for place in range(60):
                await hub.ask("DELETE", f"/v2/depot/app/manifests/drop{place}", login=hub.main)
                await asyncio.sleep(0)

        async def pusher() -> None:
            place = 0
            while not stop.is_set():
                body = os.urandom(3000)
                path = f"/v2/depot/app/blobs/uploads/?digest={digest(body)}"
                assert (await hub.ask("POST", path, body=body, login=hub.main)).status == 201
                place += 1

        def told(what: str, done: int, total: int) -> None:
            if what == "objects" and not started:  # the moment of the rows is over: now everything is deleted
                started.append(asyncio.ensure_future(deleter()))

        started: list[asyncio.Future[None]] = []
        others = [asyncio.ensure_future(one()) for one in (collector, pusher)]
        report = await back_up(hub.hub, target, progress=told)
        await started[0]
        await enough.wait()
        stop.set()
        await asyncio.gather(*others)
        return report

    report = hub.run(story())
    assert report.damaged == []
    assert verified(target) == []
    loop.run(bring_back(target, tmp_path / "back"))
    back = Restored(loop, tmp_path / "back", hub)
    for tag, name in {**kept, **{f"drop{place}": None for place in range(60)}}.items():
        reply = back.request("GET", f"/v2/depot/app/manifests/{tag}", login=hub.main)
        assert (reply.status, name in {None, reply.headers.get("docker-content-digest")}) == (200, True), tag
    assert loop.run(findings(back.hub)) == []
    back.close()
    hub.run(collect.collect(hub.hub))
    assert collected.objects >= 60, "after the backup what is dead goes"
    hub.close()


def test_a_hold_stops_removal_and_ends_by_itself(hub: TestHub, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [hub.hub.clock()]
    hub.hub.clock = lambda: now[0]
    add = "INSERT INTO dead_object VALUES ('sha256/aa/aa-x', 1, 0)"
    hub.run(hub.hub.db.write(lambda rows: rows.run(add)))

    async def killed() -> Any:
        """A holder that never comes to its end."""
        holder = holds.hold(hub.hub)
        await holder.__aenter__()
        other = holds.hold(hub.hub)
        await other.__aenter__()
        await other.__aexit__(None, None, None)
        return holder

    stuck = hub.run(killed())
    assert hub.run(collect.collect(hub.hub)).objects == 0
    assert hub.run(collect.preview(hub.hub)).objects == 0
    now[0] += holds.SECONDS
    assert hub.run(collect.collect(hub.hub)).objects == 1
    hub.run(stuck.__aexit__(None, None, None))


def test_older_backups_go_and_take_only_their_own_objects(hub: TestHub, loop: Loop, tmp_path: Path) -> None:
    hub.bucket("depot")
    target = tmp_path / "target"
    image(hub, "depot/app", "stays")
    for place in range(4):
        name, _ = image(hub, "depot/app", f"v{place}")
        run(hub, target)
        hub.request("DELETE", f"/v2/depot/app/manifests/{name}", login=hub.main)
        hub.hub.clock = lambda place=place: 2_000_000_000 + place * 3_000_000
        hub.run(collect.collect(hub.hub))
        hub.run(collect.collect(hub.hub))
        hub.run(collect.collect(hub.hub))
    folder = BackupFolder(target)
    assert len(folder.generations()) == 4
    report = run(hub, target, keep=2)
    assert len(report.dropped) == 3
    assert report.pruned == 3
    assert folder.generations()[-1] == report.generation
    assert len(list(folder.stored())) == 2
    assert verified(target) == []
    for name in folder.generations():
        assert loop.run(bring_back(target, tmp_path / name, name=name)).lost == []


def flip(file: Kept) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))


def test_a_damaged_object_in_the_target_is_found_healed_or_accepted(hub: TestHub, loop: Loop, tmp_path: Path) -> None:
    hub.bucket("depot")
    name, layer = image(hub, "depot/app", "v1")
    target, back = tmp_path / "target", tmp_path / "back"
    run(hub, target)
    [kept] = [one for one in (target / "blobs").rglob("*") if one.is_file()]
    flip(kept)
    [found] = verified(target)
    assert digest(layer) in found.what
    assert str(kept) in found.what
    report = loop.run(bring_back(target, back))
    assert [digest(layer) in one for one in report.lost] == [True]
    with pytest.raises(HubError, match="has not ended") as refused:
        loop.run(wiring.open_hub(config.load(environ={}, data=str(back)), create=True))
    assert refused.value.kind is Kind.NOT_INITIALISED
    assert run(hub, target).copied == 0
    assert run(hub, target, verify=True).copied == 1
    assert verified(target) == []
    assert loop.run(bring_back(target, back)).lost == []
    kept.unlink()
    assert "not there" in verified(target)[0].what
    assert len(loop.run(bring_back(target, tmp_path / "lossy", accept=True)).lost) == 1
    restored = Restored(loop, tmp_path / "lossy", hub)
    assert {one.kind for one in loop.run(findings(restored.hub))} == {"missing"}
    assert restored.request("GET", f"/v2/depot/app/manifests/{name}", login=hub.main).status == 200
    restored.close()


def test_what_is_damaged_in_the_hub_is_told_and_left_out(hub: TestHub, loop: Loop, tmp_path: Path) -> None:
    hub.bucket("depot")
    _, missing = image(hub, "depot/app", "v1")
    _, wrong = image(hub, "depot/app", "v2")
    _, cut = image(hub, "depot/app", "v3")
    files = stored.objects(hub)
    for one in files:
        if digest(missing)[7:] in one.name:
            one.unlink()
        elif digest(wrong)[7:] in one.name:
            flip(one)
        else:
            one.write_bytes(one.read_bytes()[:-1])
    report = run(hub, tmp_path / "target")
    assert report.damaged == sorted(digest(one) for one in (missing, wrong, cut))
    assert verified(tmp_path / "target") == []
    back = loop.run(bring_back(tmp_path / "target", tmp_path / "back"))
    assert (back.lost, back.damaged) == ([], report.damaged)


def test_damaged_rows_and_key_files_are_refused(hub: TestHub, loop: Loop, tmp_path: Path) -> None:
    target = tmp_path / "target"
    first = run(hub, target).generation
    run(hub, target)
    for file in ("rows.db", "hub.key", "about.json"):
        path = target / "generations" / BackupFolder(target).generations()[-1] / file
        good = path.read_bytes()
        flip(path)
        assert len(verified(target)) == 1
        with pytest.raises(HubError) as refused:
            loop.run(bring_back(target, tmp_path / f"back-{file}"))
        assert refused.value.kind in {Kind.BACKUP_DAMAGED, Kind.UNAVAILABLE}
        path.write_bytes(good)
    flip(target / "generations" / BackupFolder(target).generations()[-1] / "rows.db")
    assert loop.run(bring_back(target, tmp_path / "older", name=first)).generation == first


def test_a_backup_without_the_key_asks_for_it(hub: TestHub, loop: Loop, tmp_path: Path) -> None:
    target = tmp_path / "target"
    run(hub, target, with_key=False)
    assert not list(target.rglob("hub.key"))
    assert verified(target) == []
    for key, words in ((None, "--without-key"), (b"x" * 32, "not the key file")):
        with pytest.raises(HubError, match=words) as refused:
            loop.run(bring_back(target, tmp_path / "back", key=key))
        assert refused.value.kind is Kind.CONFIG_INVALID
    key = (hub.settings.data_dir / "hub.key").read_bytes()
    loop.run(bring_back(target, tmp_path / "back", key=key))
    back = Restored(loop, tmp_path / "back", hub)
    assert back.call("GetUserInfo")["RetCode"] == 0
    back.close()


def test_folders_that_hold_something_else_are_left_alone(hub: TestHub, loop: Loop, tmp_path: Path) -> None:
    other = TestHub(loop, tmp_path / "other")
    target, full = tmp_path / "target", tmp_path / "full"
    run(hub, target)
    full.mkdir()
    (full / "letters.txt").write_text("dear")
    for folder in (full, tmp_path / "other", hub.settings.data_dir):
        with pytest.raises(HubError) as refused:
            run(hub, folder)
        assert refused.value.kind is Kind.EXISTS
        with pytest.raises(HubError) as refused:
            loop.run(bring_back(target, folder))
        assert refused.value.kind is Kind.EXISTS
    with pytest.raises(HubError, match="another hub") as refused:
        run(other, target)
    with pytest.raises(HubError) as refused:
        loop.run(bring_back(full, tmp_path / "back"))
    assert refused.value.kind is Kind.BACKUP_UNKNOWN
    with pytest.raises(HubError, match="there are 000001"):
        loop.run(bring_back(target, tmp_path / "back", name="000009-20200101T000000Z"))
    assert [one.name for one in full.iterdir()] == ["letters.txt"]
    other.close()


def test_one_backup_or_restore_at_a_time(hub: TestHub, loop: Loop, tmp_path: Path) -> None:
    target = tmp_path / "target"
    run(hub, target)
    folder = BackupFolder(target)
    with folder.reading(), folder.reading(), pytest.raises(HubError, match="another backup"):
        run(hub, target)
    with folder.writing(hub.hub.vault.fingerprint), pytest.raises(HubError, match="another backup"):
        loop.run(bring_back(target, tmp_path / "back"))


def test_a_newer_version_and_hostile_keys_are_refused(hub: TestHub, loop: Loop, tmp_path: Path) -> None:
    hub.bucket("depot")
    image(hub, "depot/app", "v1")
    target = tmp_path / "target"
    name = run(hub, target).generation
    about = target / "generations" / name / "about.json"
    told = json.loads(about.read_text())
    about.write_text(json.dumps({**told, "schema": 10_000}))
    with pytest.raises(HubError, match="upgrade"):
        loop.run(bring_back(target, tmp_path / "back"))
    [kept] = [one for one in (target / "blobs").rglob("*") if one.is_file()]
    hostile = ("../../../escaped", str(tmp_path / "escaped"), "sha256/..//x", "a/../../b", ".hidden", "", "a" * 600)
    for place, key in enumerate(hostile):
        rows = about.with_name("rows.db")
        text = "UPDATE blob SET storage_key = :key WHERE content IS NULL"
        rows_file.change(rows, lambda rows, key=key, text=text: rows.run(text, key=key))
        about.write_text(json.dumps({**told, "rows_sha256": backup_folder.sha256(rows)}))
        (tmp_path / "escaped").unlink(missing_ok=True)
        shutil.copy(kept, tmp_path / "escaped")  # what it would be read from
        with pytest.raises(HubError, match="no storage key"):
            loop.run(bring_back(target, tmp_path / "into" / str(place)))
        assert "no storage key" in verified(target)[0].what


def test_a_lost_hold_is_told(hub: TestHub, tmp_path: Path) -> None:
    """The machine slept through the hold, and an object was collected before it was copied."""
    hub.bucket("depot")
    image(hub, "depot/app", "v1")

    target, snapshot = tmp_path / "target", hub.hub.db.snapshot

    async def then_collected(path: Path) -> None:
        await snapshot(path)
        kept = await asyncio.to_thread(stored.objects, hub)
        for table in ("bucket_blob", "image_blob", "manifest_blob", "blob"):
            await hub.hub.db.write(lambda rows, table=table: rows.run(f"DELETE FROM {table}"))
        for one in kept:
            await asyncio.to_thread(one.unlink)

    hub.hub.db.snapshot = then_collected  # type: ignore[method-assign]
    with pytest.raises(HubError, match="run it again"):
        run(hub, target)
    assert BackupFolder(target).generations() == []


def test_a_restore_that_was_stopped_goes_on_with_the_same_backup(hub: TestHub, loop: Loop, tmp_path: Path) -> None:
    hub.bucket("depot")
    image(hub, "depot/app", "v1")
    target, back = tmp_path / "target", tmp_path / "back"
    first = run(hub, target).generation
    [kept] = [one for one in (target / "blobs").rglob("*") if one.is_file()]
    flip(kept)
    assert len(loop.run(bring_back(target, back)).lost) == 1
    second = run(hub, target, verify=True).generation
    with pytest.raises(HubError, match=f"a restore of {first}"):
        loop.run(bring_back(target, back, name=second))
    third = run(hub, target, keep=1).generation
    with pytest.raises(HubError, match="is gone; remove"):
        loop.run(bring_back(target, back))
    shutil.rmtree(back)
    assert loop.run(bring_back(target, back)).generation == third


def test_what_the_hub_lost_and_an_older_backup_has_comes_back(hub: TestHub, loop: Loop, tmp_path: Path) -> None:
    hub.bucket("depot")
    _, layer = image(hub, "depot/app", "v1")
    run(hub, tmp_path / "target")
    [kept] = stored.objects(hub)
    kept.unlink()
    assert run(hub, tmp_path / "target").damaged == []
    loop.run(bring_back(tmp_path / "target", tmp_path / "back"))
    back = Restored(loop, tmp_path / "back", hub)
    assert back.request("GET", f"/v2/depot/app/blobs/{digest(layer)}", login=hub.main).body == layer
    back.close()
