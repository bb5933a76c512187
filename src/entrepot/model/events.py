"""What happens to a bucket, by name: the kinds of events, and which of them somebody wants to hear of. Pure."""

from entrepot.model import globs

PUSHED, MOVED, DELETED = "image.pushed", "image.moved", "image.deleted"
RESTORED, PULLED = "image.restored", "image.pulled"
CREATED, SHARED, UNSHARED = "bucket.created", "bucket.shared", "bucket.unshared"
GONE, BACK = "bucket.deleted", "bucket.restored"
NEAR, QUOTA, COLLECTED, SCANNED = "quota.near", "quota.reached", "collection.done", "scan.done"
DAMAGED, HEALED = "damage.found", "damage.healed"
KINDS = (PUSHED, MOVED, DELETED, RESTORED, PULLED, CREATED, SHARED, UNSHARED, GONE, BACK, NEAR, QUOTA, COLLECTED,
         SCANNED, DAMAGED, HEALED)  # fmt: skip
TEST = "webhook.test"
"""Not of a bucket: what the test button sends."""
DEEPEST = 8
"""How many events may lead to one another through workflows."""
OFFERED = ("Kind", "Number", "BucketName", "ImageName", "TagName", "Digest", "OldDigest", "User", "Time", "Event")
"""The inputs of a workflow that every event fills in, where the workflow has them."""

NOBODY, SOMEBODY, PULLS = 0, 1, 2


def listens(kinds: str) -> int:
    """How closely somebody listens who wants these kinds ("" for all): SOMEBODY, or PULLS as well."""
    return PULLS if not kinds or PULLED in kinds.split() else SOMEBODY


def wants(kinds: str, tags: str, kind: str, image: str, its_tags: list[str]) -> bool:
    """Whether somebody with these kinds and this selection of tags ("" for all) hears of an event.

    Globs are about images: what is about a whole bucket passes them. An event without a tag passes where the tag glob
    stands for any text, also for none.
    """
    if kinds and kind not in kinds.split():
        return False
    if not tags or not image:
        return True
    selection = globs.selection(tags)
    return any(selection.has(image, tag) for tag in its_tags or [""])
