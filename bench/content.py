"""Content that the reading works find: an image and a large blob in each registry, the same bytes in nginx's folder."""

import hashlib
import json
import os

from bench import procs
from bench.procs import Trouble
from bench.servers import BUCKET, Nginx, Server

ACCEPT = "application/vnd.oci.image.manifest.v1+json"
REPOSITORY = f"{BUCKET}/app"
TAG = "v1"
BIG = 100 * 1024 * 1024
RANGE = 1024 * 1024
LAYERS = 8


def digest_of(content: bytes) -> str:
    """Its sha256 in OCI's words."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def put_blob(server: Server, repository: str, content: bytes) -> str:
    """Upload a blob in two requests; its digest."""
    headers, digest = server.headers(repository), digest_of(content)
    status, told, body = procs.ask(server.port, "POST", f"/v2/{repository}/blobs/uploads/", headers, b"")
    if status != 202:
        raise Trouble(f"{server.name}: no upload, {status} {body[:200]!r}")
    place = told["location"].removeprefix(server.url)
    place += f"{'&' if '?' in place else '?'}digest={digest}"
    status, _, body = procs.ask(
        server.port, "PUT", place, {**headers, "Content-Type": "application/octet-stream"}, content
    )
    if status != 201:
        raise Trouble(f"{server.name}: no blob, {status} {body[:200]!r}")
    return digest


def put_manifest(server: Server, repository: str, reference: str, content: bytes, query: str = "") -> str:
    """PUT a manifest; its digest."""
    headers = {**server.headers(repository), "Content-Type": ACCEPT}
    path = f"/v2/{repository}/manifests/{reference}{query}"
    status, _, body = procs.ask(server.port, "PUT", path, headers, content)
    if status != 201:
        raise Trouble(f"{server.name}: no manifest, {status} {body[:200]!r}")
    return digest_of(content)


def manifest(config: bytes, layers: list[bytes], note: str = "") -> bytes:
    """A manifest over these blobs."""
    document = {
        "schemaVersion": 2,
        "mediaType": ACCEPT,
        "config": _descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": [_descriptor("application/vnd.oci.image.layer.v1.tar+gzip", layer) for layer in layers],
        "annotations": {"bench": note},
    }
    return json.dumps(document).encode()


def _descriptor(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


class Image:
    """What is pulled: a manifest of usual size, and one large blob."""

    def __init__(self) -> None:
        self.config = json.dumps({"architecture": "amd64", "os": "linux", "id": os.urandom(16).hex()}).encode()
        self.layers = [os.urandom(1000) for _ in range(LAYERS)]
        self.manifest = manifest(self.config, self.layers)
        self.small = digest_of(self.layers[0])
        self.big = digest_of(b"")

    def place(self, servers: list[Server]) -> None:
        """Put it everywhere, and see that everywhere gives the same bytes back."""
        content = os.urandom(BIG)
        self.big = digest_of(content)
        for server in servers:
            if isinstance(server, Nginx):
                (server.data / "manifest").write_bytes(self.manifest)
                (server.data / "blob").write_bytes(content)
            else:
                for blob in (self.config, *self.layers, content):
                    put_blob(server, REPOSITORY, blob)
                put_manifest(server, REPOSITORY, TAG, self.manifest)
            for path, wanted in ((self.manifest_path(server), self.manifest), (self.big_path(server), content)):
                status, _, body = procs.ask(server.port, "GET", path, {"Accept": ACCEPT})
                if status != 200 or body != wanted:
                    raise Trouble(f"{server.name} gives other bytes at {path}: {status}")

    @staticmethod
    def manifest_path(server: Server) -> str:
        """Where a server has the manifest."""
        return "/manifest" if isinstance(server, Nginx) else f"/v2/{REPOSITORY}/manifests/{TAG}"

    def big_path(self, server: Server) -> str:
        """Where a server has the large blob."""
        return "/blob" if isinstance(server, Nginx) else f"/v2/{REPOSITORY}/blobs/{self.big}"

    def small_path(self) -> str:
        """Where registries have a small blob."""
        return f"/v2/{REPOSITORY}/blobs/{self.small}"
