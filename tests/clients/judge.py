"""What must hold of a hub after its hard life (load.py): what was acknowledged is there, counters are exact."""

import hashlib
import json
import random
import time
from typing import Any

from entrepot import wiring
from entrepot.config import Settings
from entrepot.ops import check as fsck
from entrepot.ops.context import Hub
from entrepot.store.db import Rows
from tests.clients.load import BUCKET, DELETED, IMAGES, Ledger, must_be_there
from tests.clients.pushing import Pusher

NEWEST = 400
_COUNTERS = """
SELECT i.name FROM image i
WHERE manifest_count <> (SELECT COUNT(*) FROM manifest m WHERE m.image_id = i.id)
OR tag_count <> (SELECT COUNT(*) FROM tag t WHERE t.image_id = i.id)
UNION ALL
SELECT b.name FROM bucket b
WHERE image_count <> (SELECT COUNT(*) FROM image i WHERE i.bucket_id = b.id AND i.manifest_count > 0)
UNION ALL
SELECT b.name FROM bucket b
WHERE bytes <>
  (SELECT COALESCE(SUM(o.size), 0) FROM blob o
   WHERE o.id IN (SELECT l.blob_id FROM image_blob l JOIN image i ON i.id = l.image_id WHERE i.bucket_id = b.id))
  + (SELECT COALESCE(SUM(m.size), 0) FROM manifest m JOIN image i ON i.id = m.image_id WHERE i.bucket_id = b.id)
"""


def some(listed: list[Any]) -> list[Any]:
    """What is newest, and a handful of everything before: a round must not cost more with each round."""
    return [*random.sample(listed[:-NEWEST], min(100, len(listed[:-NEWEST]))), *listed[-NEWEST:]]


def check(hub: Pusher, ledger: Ledger) -> None:
    """Ask for what was acknowledged."""
    for begun, name, digest in some(ledger.blobs):
        if must_be_there(begun):
            found = hub.ask("GET", f"/v2/{name}/blobs/{digest}")
            is_right = "sha256:" + hashlib.sha256(found.body).hexdigest() == digest
            told = (name, digest, time.time() - begun, found.status, found.body[:300])
            assert is_right or (found.status == 404 and not must_be_there(begun)), told
    for (name, digest), content in some(list(ledger.manifests.items())):
        begun = ledger.pushed[name, digest]
        if must_be_there(begun):
            found = hub.ask("GET", f"/v2/{name}/manifests/{digest}")
            told = (name, digest, time.time() - begun, found.status, found.body[:300])
            assert found.body == content or (found.status == 404 and not must_be_there(begun)), told
    for number in range(IMAGES):
        _check_tags(hub, ledger, f"{BUCKET}/app{number}")


def _check_tags(hub: Pusher, ledger: Ledger, name: str) -> None:
    listed = set(json.loads(hub.ask("GET", f"/v2/{name}/tags/list").body).get("tags", []))
    for (where, tag), last in ledger.tags.items():
        may_be_gone = DELETED in {last, *ledger.tried[where, tag]}
        assert where != name or tag in listed or may_be_gone
    for tag in listed:
        got = hub.ask("GET", f"/v2/{name}/manifests/{tag}")
        digest = "sha256:" + hashlib.sha256(got.body).hexdigest()
        assert digest == got.headers["docker-content-digest"]
        # The last push may have been stored without its answer having arrived; nothing older may show.
        assert digest == ledger.tags.get((name, tag)) or digest in ledger.tried[name, tag], (name, tag)
        document = json.loads(got.body)
        for one in [document["config"], *document["layers"]]:
            blob = hub.ask("GET", f"/v2/{name}/blobs/{one['digest']}")
            assert blob.status == 200
            assert "sha256:" + hashlib.sha256(blob.body).hexdigest() == one["digest"]


async def wrong_counters(hub: Hub) -> list[str]:
    """The names of images and buckets whose counters are not what there is."""

    def look(rows: Rows) -> list[str]:
        return [row[0] for row in rows.all(_COUNTERS)]

    return await hub.db.read(look)


async def findings(settings: Settings, *, deep: bool = False) -> list[Any]:
    """What fsck and the counters find, without a process for it each time."""
    hub = await wiring.open_hub(settings)
    try:
        found: list[Any] = await fsck.check(hub, deep=deep, repair=False, progress=lambda *_: None)
        return found + await wrong_counters(hub)
    finally:
        await wiring.close_hub(hub)
