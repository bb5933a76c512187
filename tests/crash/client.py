"""A client that keeps a ledger: what the hub acknowledged, and what it was asked to forget."""

import json
from typing import Any

from tests.conftest import Reply
from tests.crash.doors import Door
from tests.registry.kit import OCI_MANIFEST, digest, manifest_of

Name = tuple[str, str]
"""An image, and a digest, tag or session in it."""


class Client:
    """Speaks to whatever door it is at. ``again``: it repeats what a crash cut off, so half may be done already."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.again = False
        self.blobs: dict[Name, bytes] = {}
        self.manifests: dict[Name, bytes] = {}
        self.tags: dict[Name, str] = {}
        self.tried: dict[Name, str] = {}
        """Where a tag was to be moved by a push that was not answered: it may have been."""
        self.received: dict[Name, int] = {}
        """Bytes of unfinished uploads that were acknowledged, by the path of the session."""

    # Pushes

    def begin(self, image: str) -> str:
        reply = self.door.ask("POST", f"/v2/{image}/blobs/uploads/")
        assert reply.status == 202, reply.body
        return reply.headers["location"].partition("/v2/")[2].join(("/v2/", ""))

    def patch(self, image: str, place: str, content: bytes) -> None:
        reply = self.door.ask("PATCH", place, body=content)
        assert reply.status == 202, reply.body
        self.received[image, place] = int(reply.headers["range"].partition("-")[2]) + 1

    def finish(self, image: str, place: str, content: bytes, rest: bytes = b"") -> None:
        self.received.pop((image, place), None)
        reply = self.door.ask("PUT", f"{place}?digest={digest(content)}", body=rest)
        assert reply.status == 201, reply.body
        self.blobs[image, digest(content)] = content

    def push_in_chunks(self, image: str, chunks: list[bytes]) -> None:
        """PATCH, PATCH, PUT. After a crash it goes on with the session that it was at, where there still is one."""
        content = b"".join(chunks)
        place, done = self.go_on(image)
        for number, chunk in enumerate(chunks):
            if done < sum(map(len, chunks[: number + 1])):
                self.patch(image, place, chunk[max(0, done - sum(map(len, chunks[:number]))) :])
        self.finish(image, place, content)

    def go_on(self, image: str) -> tuple[str, int]:
        """The session of an unfinished upload and how far it is, or a new one."""
        for where, place in self.received if self.again else ():
            reply = self.door.ask("GET", place)
            if where == image and reply.status == 204:
                return place, int(reply.headers["range"].partition("-")[2]) + 1
        return self.begin(image), 0

    def push_at_once(self, image: str, content: bytes) -> None:
        """POST with the digest and the whole body."""
        reply = self.door.ask("POST", f"/v2/{image}/blobs/uploads/?digest={digest(content)}", body=content)
        assert reply.status == 201, reply.body
        self.blobs[image, digest(content)] = content

    def cancel(self, image: str, place: str) -> None:
        self.received.pop((image, place), None)
        self.expect(self.door.ask("DELETE", place), 204)

    def mount(self, image: str, source: str, content: bytes) -> None:
        name = digest(content)
        reply = self.door.ask("POST", f"/v2/{image}/blobs/uploads/?mount={name}&from={source}")
        assert reply.status == 201, reply.body
        self.blobs[image, name] = content

    def push_manifest(self, image: str, tag: str, blobs: list[bytes], **more: Any) -> str:
        content = manifest_of([(digest(one), len(one)) for one in blobs], **more)
        reference = tag or digest(content)
        kind = {"content-type": OCI_MANIFEST}
        self.tried[image, reference] = digest(content)
        reply = self.door.ask("PUT", f"/v2/{image}/manifests/{reference}", body=content, headers=kind)
        assert reply.status == 201, reply.body
        self.manifests[image, self.tried.pop((image, reference))] = content
        if tag:
            self.tags[image, tag] = digest(content)
        return digest(content)

    def push_image(self, image: str, tag: str, blobs: list[bytes]) -> str:
        for one in blobs:
            self.push_at_once(image, one)
        return self.push_manifest(image, tag, blobs)

    # Deletions: from the moment it was asked to forget, the ledger promises nothing more.

    def expect(self, reply: Reply, status: int) -> None:
        assert reply.status == status or (self.again and reply.status == 404), (reply.status, reply.body)

    def delete_tag(self, image: str, tag: str) -> None:
        self.tags.pop((image, tag), None)
        self.expect(self.door.ask("DELETE", f"/v2/{image}/manifests/{tag}"), 202)
        assert self.door.ask("GET", f"/v2/{image}/manifests/{tag}").status == 404

    def delete_manifest(self, image: str, name: str) -> None:
        self.forget(image, {name})
        self.expect(self.door.ask("DELETE", f"/v2/{image}/manifests/{name}"), 202)
        assert self.door.ask("GET", f"/v2/{image}/manifests/{name}").status == 404

    def delete_blob(self, image: str, name: str) -> None:
        self.blobs.pop((image, name), None)
        self.expect(self.door.ask("DELETE", f"/v2/{image}/blobs/{name}"), 202)
        assert self.door.ask("GET", f"/v2/{image}/blobs/{name}").status == 404

    def forget(self, image: str, names: set[str] | None = None) -> None:
        """Expect nothing more of some manifests, or all, of an image, nor of the tags on them."""
        gone = {name for name in self.manifests if name[0] == image and (names is None or name[1] in names)}
        for name in gone:
            del self.manifests[name]
        self.tags = {name: one for name, one in self.tags.items() if (name[0], one) not in gone}

    def act(self, action: str, **params: Any) -> None:
        """A management call; when it is repeated, what it is about may be gone or done already."""
        answer = self.door.call(action, **params)
        assert answer["RetCode"] == 0 or self.again, answer

    # What must hold

    def check(self, *, blobs: bool = True) -> None:
        """Everything that was acknowledged is there, byte for byte; without ``blobs``: as far as tags reach."""
        reached = {(image, one) for (image, _), one in self.tags.items()}
        for (image, name), content in self.manifests.items():
            if blobs or (image, name) in reached:
                reply = self.door.ask("GET", f"/v2/{image}/manifests/{name}")
                assert (reply.status, reply.body) == (200, content), (image, name)
        for (image, tag), name in self.tags.items():
            found = self.door.ask("GET", f"/v2/{image}/manifests/{tag}").headers["docker-content-digest"]
            assert found in {name, self.tried.get((image, tag), name)}
        named = {(image, one) for image, name in reached for one in _blobs_of(self.manifests[image, name])}
        for (image, name), content in self.blobs.items():
            if blobs or (image, name) in named:
                reply = self.door.ask("GET", f"/v2/{image}/blobs/{name}")
                assert (reply.status, reply.body) == (200, content), (image, name)
        for (_, place), size in self.received.items() if blobs else ():
            reply = self.door.ask("GET", place)
            assert reply.status == 204, reply.body
            assert int(reply.headers["range"].partition("-")[2]) + 1 >= size


def _blobs_of(manifest: bytes) -> list[str]:
    document = json.loads(manifest)
    return [one["digest"] for one in (document["config"], *document["layers"])]
