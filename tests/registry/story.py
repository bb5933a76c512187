"""What the stories of test_machine.py are made of: a world with one hub, and a plain model of what must be in it."""

import json
from typing import Any, NamedTuple

from tests.registry.kit import OCI_INDEX, OCI_MANIFEST, digest

HOUR, DAY, WEEK = 3600, 86_400, 604_800
IMAGES = ("depot/one", "depot/two", "other/three")
BUCKETS = ("depot", "other")
CONTENTS = {digest(text): text for text in (bytes([place]) * (700 + 600 * place) for place in range(4))}
"""Half of them live in rows, half in files: ROW_BYTES lies between."""
ROW_BYTES = 1500

Name = tuple[str, str]
"""An image, and a digest, tag or session in it."""


class Document(NamedTuple):
    """A manifest that was pushed."""

    content: bytes
    media_type: str
    blobs: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    subject: str = ""

    @property
    def digest(self) -> str:
        return digest(self.content)

    @property
    def descriptor(self) -> dict[str, Any]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.content)}


def image_manifest(chosen: list[str], subject: Document | None = None) -> Document:
    """A manifest of blobs; with a subject it is an artifact that refers to it."""
    listed = [
        {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": one, "size": len(CONTENTS[one])}
        for one in chosen
    ]
    made: dict[str, Any] = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": listed[0], "layers": listed[1:]}
    if subject:
        made |= {"subject": subject.descriptor, "artifactType": "application/vnd.example.note"}
    return Document(
        json.dumps(made).encode(), OCI_MANIFEST, blobs=tuple(chosen), subject=subject.digest if subject else ""
    )


def index_of(children: list[Document], subject: Document | None = None) -> Document:
    """With one of the children as its subject, the two hold each other."""
    made: dict[str, Any] = {"schemaVersion": 2, "mediaType": OCI_INDEX}
    made |= {"manifests": [one.descriptor for one in children]}
    if subject:
        made |= {"subject": subject.descriptor}
    return Document(
        json.dumps(made).encode(),
        OCI_INDEX,
        children=tuple(dict.fromkeys(one.digest for one in children)),
        subject=subject.digest if subject else "",
    )


class Deleted(NamedTuple):
    """A manifest or all of an image: documents with the tags that were on them, and until when they can come back."""

    image: str
    found: list[tuple[Document, list[str]]]
    until: int


class Model:
    """What clients know. Where the hub may take something by itself, the model says from when on.

    What deletes by itself (retention) is one more thing that ``untag``s.
    """

    def __init__(self) -> None:
        self.manifests: dict[Name, Document] = {}
        self.tags: dict[Name, str] = {}
        self.set_at: dict[Name, int] = {}
        """When a tag was last pushed or brought back."""
        self.gone: set[Name] = set()
        """Manifests and tags that were there once and must not be found any more."""
        self.leases: dict[Name, int] = {}
        """Until when a blob must be there, whatever becomes of the manifests that name it."""
        self.waits: dict[Name, int] = {}
        """Until when a manifest must be there without a tag."""
        self.uploads: dict[Name, tuple[str, int, int]] = {}
        """The blob that an unfinished upload will be, how much of it came, and when."""
        self.deleted: dict[int, Deleted] = {}
        """What can be brought back, by the hub's number of the deletion."""

    def pushed(self, image: str, document: Document, tag: str | None, now: int) -> None:
        """A manifest was acknowledged."""
        one = document.digest
        self.manifests[image, one] = document
        self.gone.discard((image, one))
        if tag is None:
            self.waits[image, one] = now + WEEK
            return
        before = self.tags.get((image, tag), one)
        if before != one:
            self.waits[image, before] = now + WEEK
        self.tags[image, tag] = one
        self.set_at[image, tag] = now
        self.gone.discard((image, tag))

    def untag(self, name: Name, now: int) -> None:
        """A tag was deleted, and only it."""
        self.waits[name[0], self.tags.pop(name)] = now + WEEK
        self.gone.add(name)

    def forget(self, name: Name) -> Document:
        """A manifest was deleted, with every tag on it."""
        lost = [key for key, one in self.tags.items() if (key[0], one) == name]
        for key in lost:
            del self.tags[key]
        self.gone |= {name, *lost}
        self.waits.pop(name, None)
        return self.manifests.pop(name)

    def brought_back(self, one: Deleted, now: int) -> None:
        """A deletion was undone; tags that were set since stay as they are."""
        for document, tags in one.found:
            name = (one.image, document.digest)
            self.manifests[name] = document
            self.gone.discard(name)
            self.waits[name] = now + WEEK
            for tag in tags:
                if (one.image, tag) not in self.tags:
                    self.tags[one.image, tag] = document.digest
                    self.set_at[one.image, tag] = now
                    self.gone.discard((one.image, tag))

    def leaving(self, image: str, chosen: set[str], newest: int) -> list[str]:
        """The tags that a rule takes which is about ``chosen`` and keeps so many, newest first."""
        mine = [tag for where, tag in self.tags if where == image and tag in chosen]
        return sorted(mine, key=lambda tag: (self.set_at[image, tag], tag), reverse=True)[newest:]

    def tags_on(self, name: Name) -> list[str]:
        """Tags of a manifest."""
        return [tag for (image, tag), one in self.tags.items() if (image, one) == name]

    def of(self, image: str) -> dict[str, Document]:
        """The manifests of an image by digest."""
        return {one: document for (where, one), document in self.manifests.items() if where == image}

    def reached(self, image: str) -> set[str]:
        """Digests of the manifests that tags of an image reach, through children of indexes and what refers to them."""
        mine = self.of(image)
        found: set[str] = set()
        new = {one for (where, _), one in self.tags.items() if where == image}
        while new:
            found |= new
            children = {child for one in new for child in mine[one].children if child in mine}
            referrers = {one for one, document in mine.items() if document.subject in found}
            new = (children | referrers) - found
        return found

    def needed(self) -> set[Name]:
        """Every manifest that a tag reaches."""
        return {(image, one) for image in IMAGES for one in self.reached(image)}

    def must_be_there(self, now: int) -> set[Name]:
        """Blobs that a manifest names or a lease holds."""
        named = {(image, one) for (image, _), found in self.manifests.items() for one in found.blobs}
        return named | {name for name, until in self.leases.items() if until > now}

    def bytes_of(self, bucket: str) -> int:
        """What a bucket holds when nothing is left that no manifest needs."""
        mine = {name: found for name, found in self.manifests.items() if name[0].partition("/")[0] == bucket}
        blobs = {one for found in mine.values() for one in found.blobs}
        return sum(len(found.content) for found in mine.values()) + sum(len(CONTENTS[one]) for one in blobs)
