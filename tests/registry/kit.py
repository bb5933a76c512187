"""Small images and the usual pushes, at the registry door."""

import hashlib
import json
import os
from typing import Any

from tests.conftest import Reply, TestHub

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"


def digest(content: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def push_blob(hub: TestHub, name: str, content: bytes, login: Any, algorithm: str = "sha256") -> str:
    """POST, then PUT with the whole body."""
    started = hub.request("POST", f"/v2/{name}/blobs/uploads/", login=login)
    assert started.status == 202, started.body
    wanted = digest(content, algorithm)
    done = hub.request("PUT", f"{started.headers['location']}?digest={wanted}", body=content, login=login)
    assert done.status == 201, done.body
    return wanted


def manifest_of(blobs: list[tuple[str, int]], **more: Any) -> bytes:
    """An image manifest: the first blob is its config."""
    listed = [{"mediaType": "application/octet-stream", "digest": one, "size": size} for one, size in blobs]
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": listed[0], "layers": listed[1:], **more}
    return json.dumps(document).encode()


def put_manifest(
    hub: TestHub, name: str, reference: str, content: bytes, login: Any, media_type: str = OCI_MANIFEST
) -> Reply:
    return hub.request(
        "PUT", f"/v2/{name}/manifests/{reference}", headers={"content-type": media_type}, body=content, login=login
    )


def push_image(hub: TestHub, name: str, tag: str, login: Any, **more: Any) -> tuple[str, bytes]:
    """A config, a layer and a manifest under a tag; the manifest's digest and bytes."""
    config, layer = os.urandom(100), os.urandom(1000)
    blobs = [(push_blob(hub, name, one, login), len(one)) for one in (config, layer)]
    content = manifest_of(blobs, **more)
    reply = put_manifest(hub, name, tag, content, login)
    assert reply.status == 201, reply.body
    return reply.headers["docker-content-digest"], content
