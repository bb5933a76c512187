"""Any story of pushes, tags, deletions, time and collection, against a plain model of what must be there.

After each step: what a tag reaches (its manifest, the children of an index, what refers to any of those, and all their
blobs) is readable byte for byte, and so is what a lease or a waiting time still protects; what was deleted is gone;
each image lists exactly its tags; the counters are exact. Long after the end exactly what tags reach is left.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from entrepot.ops import check, collect, janitor
from entrepot.ops.collect import Report
from tests import stored
from tests.conftest import Loop, Reply, TestHub
from tests.registry.story import (
    BUCKETS,
    CONTENTS,
    DAY,
    HOUR,
    IMAGES,
    ROW_BYTES,
    WEEK,
    Deleted,
    Document,
    Model,
    Name,
    image_manifest,
    index_of,
)

STORIES = int(os.environ.get("ENTREPOT_STORIES", "25"))
STEPS = 40

images = st.sampled_from((*IMAGES[:1] * 3, *IMAGES))
TAGS = ("v1", "v2", "v3")
tags = st.sampled_from(TAGS)
maybe_tags = st.none() | tags
blobs = st.sampled_from(tuple(CONTENTS))
places = st.integers(0, 40)


class World:
    """One hub for all stories: each begins with empty buckets, and the clock only goes forward."""

    hub: TestHub
    now: int
    told: int
    """Stories that came to their end."""

    @classmethod
    def open(cls) -> None:
        cls.hub.hub.clock = lambda: float(cls.now)


class Stories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.orphaned: list[str] = []
        """Sessions whose bucket is gone: what they leave on S3 may be found until the sweep takes it."""
        for name in BUCKETS:
            World.hub.bucket(name)

    # How clients ask

    def ask(self, method: str, name: Name, kind: str, **more: Any) -> Reply:
        return World.hub.request(method, f"/v2/{name[0]}/{kind}/{name[1]}", login=World.hub.main, **more)

    def upload(self, method: str, path: str, **more: Any) -> Reply:
        return World.hub.request(method, path, login=World.hub.main, **more)

    def send_blob(self, image: str, one: str, *, at_once: bool = True) -> None:
        content = CONTENTS[one]
        started = self.upload(
            "POST", f"/v2/{image}/blobs/uploads/" + (f"?digest={one}" if at_once else ""), body=content * at_once
        )
        if not at_once:
            started = self.upload("PUT", f"{started.headers['location']}?digest={one}", body=content)
        assert started.status == 201, started.body
        self.model.leases[image, one] = World.now + DAY

    def look_for(self, name: Name) -> bool:
        """HEAD: what a pusher does first. The lease that it gets is half a grace time at least."""
        found = self.ask("HEAD", name, "blobs").status == 200
        if found:
            self.model.leases[name] = max(self.model.leases.get(name, 0), World.now + DAY // 2)
        return found

    def send_manifest(self, image: str, document: Document, tag: str | None) -> None:
        kind = {"content-type": document.media_type}
        reply = self.ask("PUT", (image, tag or document.digest), "manifests", body=document.content, headers=kind)
        assert reply.status == 201, reply.body
        self.model.pushed(image, document, tag, World.now)

    def send_image(self, image: str, document: Document, tag: str | None, pause: int = 0) -> None:
        """As clients do: ask for each blob, push what is missing, then the manifest, perhaps much later."""
        for one in document.blobs:
            if not self.look_for((image, one)):
                self.send_blob(image, one)
        if pause:
            World.now += pause
            self.collect()
        self.send_manifest(image, document, tag)

    def pick(self, image: str, place: int) -> Document | None:
        mine = list(self.model.of(image).values())
        return mine[place % len(mine)] if mine else None

    # Pushes

    @rule(image=images, one=blobs, at_once=st.booleans())
    def push_blob(self, image: str, one: str, at_once: bool) -> None:
        self.send_blob(image, one, at_once=at_once)

    @rule(image=images, one=blobs)
    def begin_upload(self, image: str, one: str) -> None:
        half = CONTENTS[one][: len(CONTENTS[one]) // 2]
        place = self.upload("POST", f"/v2/{image}/blobs/uploads/").headers["location"]
        assert self.upload("PATCH", place, body=half).status == 202
        self.model.uploads[image, place] = (one, len(half), World.now)

    @precondition(lambda self: self.model.uploads)
    @rule(place=places, is_cancelled=st.booleans())
    def end_upload(self, place: int, is_cancelled: bool) -> None:
        name = list(self.model.uploads)[place % len(self.model.uploads)]
        one, received, _ = self.model.uploads.pop(name)
        if is_cancelled:
            assert self.upload("DELETE", name[1]).status == 204
            assert self.upload("GET", name[1]).status == 404
            return
        done = self.upload("PUT", f"{name[1]}?digest={one}", body=CONTENTS[one][received:])
        assert done.status == 201, done.body
        self.model.leases[name[0], one] = World.now + DAY

    @rule(
        image=images,
        chosen=st.lists(blobs, min_size=1, max_size=3, unique=True),
        tag=maybe_tags,
        pause=st.sampled_from([0, 0, 11 * HOUR]),
    )
    def push_image(self, image: str, chosen: list[str], tag: str | None, pause: int) -> None:
        self.send_image(image, image_manifest(chosen), tag, pause)

    @precondition(lambda self: self.model.manifests)
    @rule(image=images, place=places, chosen=blobs, tag=st.none() | maybe_tags)
    def push_referrer(self, image: str, place: int, chosen: str, tag: str | None) -> None:
        if subject := self.pick(image, place):
            self.send_image(image, image_manifest([chosen], subject), tag)

    @rule(
        image=images, chosen=st.lists(blobs, min_size=1, max_size=2, unique=True), tag=maybe_tags, is_ring=st.booleans()
    )
    def push_multi(self, image: str, chosen: list[str], tag: str | None, is_ring: bool) -> None:
        """As builders for several platforms do: each child by digest, then their index."""
        children = [image_manifest([one]) for one in chosen]
        for child in children:
            self.send_image(image, child, None)
        self.send_manifest(image, index_of(children, children[0] if is_ring else None), tag)

    @precondition(lambda self: self.model.manifests)
    @rule(image=images, chosen=st.lists(places, min_size=1, max_size=3), tag=maybe_tags, child_later=st.booleans())
    def push_index(self, image: str, chosen: list[int], tag: str | None, child_later: bool) -> None:
        children = [one for place in chosen if (one := self.pick(image, place))]
        if not children:
            return
        self.send_manifest(image, index_of(children), tag)
        if child_later:
            World.now += 1
            self.send_manifest(image, children[0], None)

    @precondition(lambda self: self.model.manifests)
    @rule(image=images, place=places, tag=tags)
    def set_or_move_a_tag(self, image: str, place: int, tag: str) -> None:
        if document := self.pick(image, place):
            self.send_manifest(image, document, tag)

    @rule(image=images, source=st.none() | images, one=blobs)
    def mount(self, image: str, source: str | None, one: str) -> None:
        path = f"/v2/{image}/blobs/uploads/?mount={one}" + (f"&from={source}" if source else "")
        reply = self.upload("POST", path)
        assert reply.status in {201, 202}
        there = self.model.must_be_there(World.now)
        if reply.status == 201:
            self.model.leases[image, one] = World.now + DAY
        elif source:
            assert (source, one) not in there
        else:
            assert one not in {name for _, name in there}

    @rule(image=images, one=blobs, place=places)
    def ask_what_is_there(self, image: str, one: str, place: int) -> None:
        """HEAD of a blob and of a manifest."""
        self.look_for((image, one))
        if not self.model.manifests:
            return
        name = list(self.model.manifests)[place % len(self.model.manifests)]
        assert self.ask("HEAD", name, "manifests").status == 200
        if name in self.model.waits:
            self.model.waits[name] = max(self.model.waits[name], World.now + DAY)

    # Deletions

    @precondition(lambda self: self.model.tags)
    @rule(place=places)
    def delete_tag(self, place: int) -> None:
        name = list(self.model.tags)[place % len(self.model.tags)]
        assert self.ask("DELETE", name, "manifests").status == 202
        self.model.untag(name, World.now)

    @precondition(lambda self: self.model.manifests)
    @rule(place=places)
    def delete_manifest(self, place: int) -> None:
        name = list(self.model.manifests)[place % len(self.model.manifests)]
        tags = self.model.tags_on(name)
        assert self.ask("DELETE", name, "manifests").status == 202
        self.note_deleted(name[0], [(self.model.forget(name), tags)])

    def note_deleted(self, image: str, found: list[tuple[Document, list[str]]]) -> None:
        [newest] = World.hub.call("ListDeleted", Limit=1)["DeletedSet"]
        self.model.deleted[newest["DeletionId"]] = Deleted(image, found, World.now + WEEK)

    @precondition(lambda self: self.model.deleted)
    @rule(place=places)
    def bring_back(self, place: int) -> None:
        """As long as its window is open; then never again."""
        number = list(self.model.deleted)[place % len(self.model.deleted)]
        one = self.model.deleted.pop(number)
        bucket = one.image.partition("/")[0]
        answer = World.hub.call("RestoreDeleted", BucketName=bucket, DeletionId=number)
        assert answer["RetCode"] == (0 if World.now < one.until else 1034), answer
        if answer["RetCode"] == 0:
            self.model.brought_back(one, World.now)
        assert World.hub.call("RestoreDeleted", BucketName=bucket, DeletionId=number)["RetCode"] == 1034

    @rule(image=images, one=blobs)
    def delete_blob(self, image: str, one: str) -> None:
        status = self.ask("DELETE", (image, one), "blobs").status
        is_named = any(one in found.blobs for found in self.model.of(image).values())
        assert status in ({400, 405} if is_named else {202, 404}), status
        if status == 202:
            self.model.leases.pop((image, one), None)
            assert self.ask("GET", (image, one), "blobs").status == 404

    @rule(image=images, with_bucket=st.booleans())
    def delete_image(self, image: str, with_bucket: bool) -> None:
        bucket, _, name = image.partition("/")
        answer = World.hub.call("DeleteRepoImage", RepoName=bucket, ImageName=name)
        assert (answer["RetCode"] == 0) == bool(self.model.of(image))
        tags = {one: self.model.tags_on((image, one)) for one in self.model.of(image)}
        if tags:
            self.note_deleted(image, [(self.model.forget((image, one)), tags[one]) for one in tags])
        if with_bucket:
            self.delete_bucket(bucket)

    def delete_bucket(self, bucket: str) -> None:
        """Only an empty one. Somebody makes it again at once: nothing of before may show in it."""
        answer = World.hub.call("DeleteRepo", RepoName=bucket)
        is_empty = not any(image.startswith(f"{bucket}/") for image, _ in self.model.manifests)
        assert (answer["RetCode"] == 0) == is_empty
        if not is_empty:
            return
        World.hub.bucket(bucket)
        mine = [number for number, one in self.model.deleted.items() if one.image.startswith(f"{bucket}/")]
        for number in mine:  # they are of the bucket that is gone, not of the new one
            del self.model.deleted[number]
            assert World.hub.call("RestoreDeleted", BucketName=bucket, DeletionId=number)["RetCode"] in {43023, 1034}
        for known in (self.model.leases, self.model.uploads):
            for image, one in [name for name in known if name[0].startswith(f"{bucket}/")]:
                kind = "blobs" if known is self.model.leases else "blobs/uploads"
                last = one.rpartition("/")[2]
                assert self.ask("GET", (image, last), kind).status == 404
                known.pop((image, one))
                if known is self.model.uploads:
                    self.orphaned.append(last)

    @precondition(lambda self: self.model.tags)
    @rule(place=places, newest=st.integers(1, 2), spared=maybe_tags)
    def retain(self, place: int, newest: int, spared: str | None) -> None:
        """A rule is set, does what its dry run said, and is taken back."""
        image = list(self.model.tags)[place % len(self.model.tags)][0]
        bucket, _, name = image.partition("/")
        rule = {"Match": ["v*"], "KeepNewest": newest, **({"Except": [spared]} if spared else {})}
        leaving = self.model.leaving(image, set(TAGS) - {spared}, newest)

        def tell(action: str, **more: Any) -> list[str]:
            answer = World.hub.call(action, BucketName=bucket, **more)
            assert answer["RetCode"] == 0, answer
            return [one["TagName"] for one in answer.get("TagSet", [])]

        tell("SetBucketRetention", Rules=json.dumps([rule]))
        assert tell("PreviewBucketRetention", ImageName=name) == leaving
        assert tell("RunBucketRetention", ImageName=name) == leaving
        tell("SetBucketRetention", Rules="[]")
        for tag in leaving:
            self.model.untag((image, tag), World.now)

    # Time, and what the hub does by itself

    @rule(
        seconds=st.sampled_from([HOUR, 13 * HOUR, DAY + 1, WEEK - 5, WEEK + 1]),
        is_collected=st.sampled_from([True, True, False]),
    )
    def time_passes(self, seconds: int, is_collected: bool) -> None:
        World.now += seconds
        if is_collected:
            self.collect()

    def collect(self) -> None:
        async def work() -> None:
            while await collect.step(World.hub.hub, Report()):
                pass

        World.hub.run(work())
        self.see_what_went()

    def see_what_went(self) -> None:
        """A collection may take what no tag reaches, and only after its time."""
        needed = self.model.needed()
        for name in [one for one in self.model.manifests if one not in needed]:
            if self.ask("GET", name, "manifests").status == 404:
                assert self.model.waits.get(name, 0) <= World.now, "it went before its time"
                self.model.forget(name)

    def expire_uploads(self) -> None:
        World.hub.run(janitor.drop_idle_uploads(World.hub.hub))
        World.hub.run(janitor.drop_orphan_uploads(World.hub.hub))  # of buckets that are gone
        before = World.now - World.hub.settings.upload_seconds
        for name in [one for one, (_, _, last) in self.model.uploads.items() if last < before]:
            assert self.upload("GET", name[1]).status == 404
            del self.model.uploads[name]

    @rule(restarted=st.booleans())
    def chores(self, restarted: bool) -> None:
        if restarted:
            World.hub.reopen()
            World.open()
        self.expire_uploads()
        self.collect()

    # What must hold

    @invariant()
    def what_must_be_there_is_there(self) -> None:
        for name in self.model.needed():
            reply = self.ask("GET", name, "manifests")
            assert (reply.status, reply.body) == (200, self.model.manifests[name].content)
        for name, one in self.model.tags.items():
            assert self.ask("GET", name, "manifests").headers["docker-content-digest"] == one
        for name in self.model.must_be_there(World.now):
            reply = self.ask("GET", name, "blobs")
            assert (reply.status, reply.body) == (200, CONTENTS[name[1]]), name
        for (_, place), (_, received, _) in self.model.uploads.items():
            assert self.upload("GET", place).headers["range"] == f"0-{received - 1}"

    @invariant()
    def what_is_gone_is_gone(self) -> None:
        for name in self.model.gone:
            assert self.ask("GET", name, "manifests").status == 404, name
        for image in IMAGES:
            reply = World.hub.request("GET", f"/v2/{image}/tags/list", login=World.hub.main)
            listed = reply.json.get("tags") or [] if reply.status == 200 else []
            assert listed == sorted(tag for where, tag in self.model.tags if where == image)

    @invariant()
    def counters_are_exact(self) -> None:
        found = World.hub.run(check.check(World.hub.hub, deep=False, repair=False, progress=lambda *_: None))
        waiting = [one for one in found if one.kind == "orphan" and any(name in one.what for name in self.orphaned)]
        assert found == waiting

    # The end

    def teardown(self) -> None:
        try:
            self.long_after()
        finally:
            for image in IMAGES:
                bucket, _, name = image.partition("/")
                World.hub.call("DeleteRepoImage", RepoName=bucket, ImageName=name)
            for bucket in BUCKETS:
                World.hub.call("DeleteRepo", RepoName=bucket)
            for _ in range(2):
                World.now += WEEK + DAY
                World.hub.run(collect.collect(World.hub.hub))
        assert self.counted() == (0, 0, 0)
        World.told += 1

    def long_after(self) -> None:
        """Each of these is idle or due by then: an index of an index goes after the one that held it, and so on."""
        for _ in range(8):
            World.now += WEEK + 1
            self.expire_uploads()
            self.collect()
        assert set(self.model.manifests) == self.model.needed()
        assert not self.model.uploads
        kept = {one for found in self.model.manifests.values() for one in found.blobs}
        assert self.counted() == (len(self.model.manifests), len(kept), 0)
        World.now += DAY
        World.hub.run(collect.collect(World.hub.hub))
        files = sorted(one.stat().st_size for one in stored.objects(World.hub))
        assert files == sorted(size for one in kept if (size := len(CONTENTS[one])) > ROW_BYTES)
        assert stored.growing(World.hub) == []
        for bucket in BUCKETS:
            row = World.hub.run(
                World.hub.hub.db.read(
                    lambda rows, name=bucket: rows.one("SELECT bytes FROM bucket WHERE name = :n", n=name)
                )
            )
            assert row == (self.model.bytes_of(bucket),)
        self.what_must_be_there_is_there()
        found = World.hub.run(check.check(World.hub.hub, deep=True, repair=False, progress=lambda *_: None))
        assert found == []

    def counted(self) -> tuple[int, int, int]:
        """Manifests, blobs, and candidates that wait though all time is over."""
        counts = ["(SELECT COUNT(*) FROM manifest)", "(SELECT COUNT(*) FROM blob)"]
        queues = " + ".join(f"(SELECT COUNT(*) FROM {name})" for name in ("gc_manifest", "gc_link", "gc_blob"))
        row = World.hub.run(World.hub.hub.db.read(lambda rows: rows.one(f"SELECT {', '.join(counts)}, {queues}")))
        return row[0], row[1], row[2]


@pytest.fixture
def world(loop: Loop, tmp_path: Path) -> Iterator[None]:
    World.hub = TestHub(loop, tmp_path / "data", row_bytes=ROW_BYTES)
    World.now, World.told = int(World.hub.hub.clock()), 0
    World.open()
    yield
    World.hub.close()


@pytest.mark.usefixtures("world")
def test_any_story_keeps_what_is_needed_and_leaves_nothing_else() -> None:
    run_state_machine_as_test(
        Stories,
        settings=settings(
            max_examples=STORIES, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
    assert World.told >= STORIES
