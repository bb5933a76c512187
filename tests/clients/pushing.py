"""A minimal registry client on http.client: what the big and the hard tests push with."""

import base64
import hashlib
import http.client
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass
class Got:
    status: int
    headers: dict[str, str]
    body: bytes


class Pusher:
    """One keep-alive connection with Basic credentials."""

    def __init__(self, port: int, login: tuple[str, str], *, host: str = "127.0.0.1") -> None:
        self.client = http.client.HTTPConnection(host, port, timeout=120)
        self.headers = {"Authorization": "Basic " + base64.b64encode(":".join(login).encode()).decode()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def open(self, method: str, path: str, *, headers: dict[str, str] | None = None, body: Any = None) -> Any:
        chunked = body is not None and not isinstance(body, bytes)
        self.client.request(method, path, body, {**self.headers, **(headers or {})}, encode_chunked=chunked)
        return self.client.getresponse()

    def ask(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes | Iterable[bytes] | None = None,
    ) -> Got:
        reply = self.open(method, path, headers=headers, body=body)
        return Got(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())

    def start(self, name: str) -> str:
        got = self.ask("POST", f"/v2/{name}/blobs/uploads/", headers={"Content-Length": "0"})
        assert got.status == 202, got.body
        return urlsplit(got.headers["location"])._replace(scheme="", netloc="").geturl()

    def blob(self, name: str, content: bytes) -> str:
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        place = self.start(name)
        got = self.ask("PUT", f"{place}{'&' if '?' in place else '?'}digest={digest}", body=content)
        assert got.status == 201, got.body
        return digest

    def manifest(self, name: str, tag: str, content: bytes) -> str:
        got = self.ask("PUT", f"/v2/{name}/manifests/{tag}", headers={"Content-Type": OCI_MANIFEST}, body=content)
        assert got.status == 201, got.body
        return got.headers["docker-content-digest"]


def push_image(hub: Pusher, name: str, tag: str, layer: bytes) -> tuple[str, bytes]:
    """A config, one layer and a manifest; the manifest's digest and bytes."""
    config = json.dumps({"id": os.urandom(16).hex()}).encode()
    blobs = [
        {"mediaType": "application/octet-stream", "digest": hub.blob(name, one), "size": len(one)}
        for one in (config, layer)
    ]
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": blobs[0], "layers": blobs[1:]}
    content = json.dumps(document).encode()
    return hub.manifest(name, tag, content), content
