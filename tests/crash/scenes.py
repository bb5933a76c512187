"""What the crash rig's verbs do: what is there before one, how a client drives it, what must hold after it."""

import base64
import functools
import hashlib
import json
import os
import threading
from pathlib import Path

from tests.crash.client import Client
from tests.crash.doors import InProcess, arrived
from tests.flows.conftest import World
from tests.registry.kit import OCI_MANIFEST, digest, manifest_of

BIG, OTHER = b"big" * 1000, b"other" * 1000
CONFIG = b"{}"
BUCKETS = ("depot", "second")
APP, LIB = "depot/app", "depot/lib"
OLD = 1_000_000_000


def nothing(client: Client) -> None:
    """No preparation."""


def digest_of(tag: str) -> str:
    """The manifest under a tag of APP as it was pushed first, whatever became of it since."""
    blob = {"v1": BIG, "v2": OTHER}[tag]
    return digest(manifest_of([(digest(one), len(one)) for one in (CONFIG, blob)]))


def two_images(client: Client) -> None:
    client.push_image(APP, "v1", [CONFIG, BIG])
    client.push_image(APP, "v2", [CONFIG, OTHER])
    client.push_image(LIB, "v1", [CONFIG, BIG])


def cancelled(client: Client) -> None:
    place, _ = client.go_on(APP)
    client.patch(APP, place, BIG)
    client.cancel(APP, place)


def known_blob(client: Client) -> None:
    client.push_at_once(LIB, BIG)


def delete_image(client: Client) -> None:
    client.forget(APP)
    client.act("DeleteRepoImage", RepoName="depot", ImageName="app")


def delete_tags(client: Client) -> None:
    client.tags.pop((APP, "v1"), None)
    client.tags.pop((APP, "v2"), None)
    client.act("DeleteRepoImage", RepoName="depot", ImageName="app", TagName="v1")


def restore_tag(client: Client) -> None:
    client.act("RestoreTag", BucketName="depot", ImageName="app", TagName="v1", Digest=digest_of("v1"))
    client.tags[APP, "v1"] = digest_of("v1")


def tag_deleted(client: Client) -> None:
    two_images(client)
    client.delete_tag(APP, "v1")


def ask_for_a_blob(client: Client) -> None:
    assert client.door.ask("HEAD", f"/v2/{APP}/blobs/{digest(BIG)}").status == 200


def ask_for_a_manifest(client: Client) -> None:
    assert client.door.ask("HEAD", f"/v2/{APP}/manifests/{digest_of('v1')}").status == 200


def emptied_bucket(client: Client) -> None:
    two_images(client)
    client.push_at_once("second/app", OTHER)
    client.patch("second/app", client.begin("second/app"), BIG)


def delete_bucket(client: Client) -> None:
    client.blobs = {name: one for name, one in client.blobs.items() if not name[0].startswith("second/")}
    client.received.clear()
    client.act("DeleteRepo", RepoName="second")


def image_deleted(client: Client) -> None:
    two_images(client)
    delete_image(client)


def bucket_deleted(client: Client) -> None:
    emptied_bucket(client)
    delete_bucket(client)


def deletion(client: Client, kind: str) -> dict[str, object] | None:
    """The newest deletion of a kind; None where a crash came after all was done."""
    found = [one for one in client.door.call("ListDeleted")["DeletedSet"] if one["Kind"] == kind]
    assert found or client.again
    return {name: found[0][name] for name in ("BucketName", "DeletionId")} if found else None


def undelete_image(client: Client) -> None:
    if (found := deletion(client, "Image")) is not None:
        client.act("RestoreDeleted", **found)
    for tag, blob in (("v1", BIG), ("v2", OTHER)):
        content = manifest_of([(digest(one), len(one)) for one in (CONFIG, blob)])
        client.manifests[APP, digest(content)] = content
        client.tags[APP, tag] = digest(content)


def undelete_bucket(client: Client) -> None:
    if (found := deletion(client, "Bucket")) is not None:
        client.act("RestoreDeleted", **found)
    assert "second" in [one["RepoName"] for one in client.door.call("GetRepo", Type="private")["RepoSet"]]


def purge(client: Client) -> None:
    if (found := deletion(client, "Image")) is not None:
        client.act("PurgeDeleted", **found)
    client.again = True
    assert deletion(client, "Image") is None


def garbage(client: Client) -> None:
    """A manifest without a tag, a link that nothing needs, a blob without a link, a dead object and an orphan."""
    assert isinstance(client.door, InProcess)
    hub = client.door.hub
    client.push_image(LIB, "v1", [CONFIG, BIG])
    client.push_at_once(LIB, b"dead" * 1000)
    client.delete_blob(LIB, digest(b"dead" * 1000))
    client.door.collect()
    client.push_image(APP, "", [CONFIG, OTHER])
    client.push_at_once(LIB, b"unneeded" * 1000)
    client.push_at_once(LIB, b"unlinked" * 1000)
    client.delete_blob(LIB, digest(b"unlinked" * 1000))
    orphan = hub.hub.blobs.path("sha256/ab/ab-orphan")  # type: ignore[attr-defined]
    orphan.parent.mkdir(parents=True, exist_ok=True)
    orphan.write_bytes(BIG)
    os.utime(orphan, (OLD, OLD))
    client.blobs.clear()
    client.forget(APP)


def idle_uploads(client: Client) -> None:
    assert isinstance(client.door, InProcess)
    client.patch(APP, client.begin(APP), BIG)
    client.received.clear()
    folder = client.door.hub.settings.data_dir / "uploads"
    (folder / "orphan").write_bytes(BIG)
    for file in folder.iterdir():
        os.utime(file, (OLD, OLD))


def one_image(client: Client) -> None:
    client.push_image(APP, "v1", [BIG])


def backed_up(client: Client) -> None:
    one_image(client)
    client.door.back_up()


def older_backup(client: Client) -> None:
    """One backup, an image that is not in it, and an object that no backup names."""
    backed_up(client)
    client.push_image(LIB, "v1", [OTHER])
    orphan = client.door.beside.target / "blobs/sha256/ab/ab-orphan"
    orphan.parent.mkdir(parents=True, exist_ok=True)
    orphan.write_bytes(BIG)


def one_backup(client: Client) -> None:
    """A backup that is asked for may take the one before away, never both."""
    assert len(client.door.beside.generations()) == 1
    target = client.door.beside.target
    names = {one.name for one in target.iterdir()}
    assert names - {"uploads"} == {"about.json", "lock", "blobs", "generations"}, names
    kept = [one for folder in ("blobs", "uploads") for one in (target / folder).rglob("*") if one.is_file()]
    assert len(kept) == len(set(client.blobs.values()))


def whole_hub(client: Client) -> None:
    """The hub that was brought back holds what was acknowledged before the backup, and nothing half beside it."""
    _check_whole(client, client.door.beside.restored)


def _check_whole(client: Client, data: Path) -> None:
    names = {one.name for one in data.iterdir()}
    assert names <= {"blobs", "uploads", "hub.key", "hub.db", "hub.db-wal", "hub.db-shm"}, names
    here = client.door
    with arrived(here, data) as door:
        client.door = door
        client.check()
    client.door = here


def moved_hub(client: Client) -> None:
    """The hub that moved holds all that was acknowledged; the old one takes nothing until that is undone."""
    _check_whole(client, client.door.beside.moved)
    reply = client.door.ask("POST", f"/v2/{LIB}/blobs/uploads/?digest={digest(OTHER)}", body=OTHER)
    assert (reply.status, "it is read only here" in reply.body.decode()) == (503, True), reply.body
    client.door.stay()
    client.push_at_once(LIB, OTHER)


def older_export(client: Client) -> None:
    """An export of what was there with a draft that a kill left, then an image more and one less."""
    one_image(client)
    client.door.export()
    (client.door.beside.layout / ".drafts").mkdir()
    (client.door.beside.layout / ".drafts/left").write_bytes(BIG)
    client.push_image(LIB, "v1", [OTHER])
    client.delete_manifest(APP, digest(manifest_of([(digest(BIG), len(BIG))])))
    del client.blobs[APP, digest(BIG)]  # nothing holds it, and that was a month ago: it goes when the collector comes


def whole_layout(client: Client) -> None:
    folder = client.door.beside.layout
    assert {one.name for one in folder.iterdir()} == {"blobs", "index.json", "oci-layout"}
    held = {f"sha256:{one.name}": one.read_bytes() for one in (folder / "blobs/sha256").iterdir()}
    assert all("sha256:" + hashlib.sha256(content).hexdigest() == name for name, content in held.items())
    listed = [one["digest"] for one in json.loads((folder / "index.json").read_bytes())["manifests"]]
    assert set(listed) == {name for _, name in client.manifests}
    assert len(held) == 2, "a manifest and its blob"


def layout(client: Client) -> None:
    """An image that the hub does not hold."""
    folder, content = client.door.beside.layout, manifest_of([(digest(BIG), len(BIG))])
    (folder / "blobs/sha256").mkdir(parents=True)
    for one in (BIG, content):
        (folder / "blobs/sha256" / digest(one).partition(":")[2]).write_bytes(one)
    (folder / "oci-layout").write_bytes(b'{"imageLayoutVersion":"1.0.0"}')
    named = {"mediaType": OCI_MANIFEST, "digest": digest(content), "size": len(content),
             "annotations": {"org.opencontainers.image.ref.name": "app:v1"}}  # fmt: skip
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}))


def load(client: Client) -> None:
    client.door.load()
    content = manifest_of([(digest(BIG), len(BIG))])
    client.blobs[APP, digest(BIG)], client.manifests[APP, digest(content)] = BIG, content
    client.tags[APP, "v1"] = digest(content)


def tag_image(client: Client) -> None:
    client.act("TagImage", BucketName="depot", ImageName="app", TagName="stable", Source="v1")
    client.tags[APP, "stable"] = digest_of("v1")


@functools.cache
def receiver() -> World:
    """One that takes every event, for all tests of a process."""
    server = World()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


def triggered(client: Client) -> None:
    """Two triggers, one of them due; then a push, which nobody was told of."""
    ends = {"Activities": [{"Name": "start", "Type": "StartActivity", "Next": "end"},
                           {"Name": "end", "Type": "EndActivity"}]}  # fmt: skip
    text = base64.b64encode(json.dumps(ends).encode()).decode()
    namespace = client.door.call("CreateSFNamespace", Namespace="told")["NamespaceId"]
    flow = {"Namespace": namespace, "WorkflowName": "told", "Workflow": text, "Region": "cn-bj2"}
    client.act("CreateSFWorkflowFromTemplate", **flow)
    client.act("PublishSFWorkflow", WorkflowId=f"{namespace}.told")
    client.act("CreateSFTrigger", WorkflowId=f"{namespace}.told", TriggerKind="Event", Event=["image.pushed"])
    client.act("CreateSFTrigger", WorkflowId=f"{namespace}.told", TriggerKind="Cron", Cron="0 0 1 1 *")
    client.push_image(APP, "v1", [CONFIG, BIG])
    assert isinstance(client.door, InProcess)
    due = "UPDATE flow_trigger SET due_at = 1 WHERE kind = 'Cron'"
    client.door.hub.run(client.door.hub.hub.db.write(lambda rows: rows.run(due)))


def start_runs(client: Client) -> None:
    """Each trigger has its run, exactly one."""
    client.door.tell()
    if isinstance(client.door, InProcess) or client.again:
        namespace = client.door.call("ListSFNamespaces")["NamespaceSet"][0]["NamespaceId"]
        runs = client.door.call("ListSFInstances", WorkflowId=f"{namespace}.told")["InstanceSet"]
        assert sorted(one["Cause"] for one in runs) == ["Cron", "Event depot/1"]


def hooked(client: Client) -> None:
    """A webhook; then a push, which it was not told of."""
    receiver().calls.clear()
    client.act("CreateBucketWebhook", BucketName="depot", Url=receiver().url, Event=["image.pushed"])
    client.push_image(APP, "v1", [CONFIG, BIG])


def send(client: Client) -> None:
    """The receiver has the event: once or, where a kill came between, twice."""
    client.door.tell()
    if isinstance(client.door, InProcess) or client.again:
        told = [json.loads(body)["data"]["Number"] for *_, body in receiver().calls]
        assert told in ([1], [1, 1])
        [hook] = client.door.call("ListBucketWebhooks", BucketName="depot")["WebhookSet"]
        assert (hook["WaitingCount"], hook["DeadCount"]) == (0, 0)
