"""What a hub adds to the S3 server that keeps its bytes: pushes and pulls through it beside plain ones to the server.

    python -m bench.s3 [--size MIB] [--images N] [--rounds N]

One versitygw over a folder. In each round, in turn: a large blob goes in and out of a hub on a bucket, of a hub on
files, and of the server itself (a multipart upload with as large parts, two at a time); then small images (config and
three layers of 10 to 100 KiB, kept as objects, and a manifest) go in, and as many objects straight to the server.
Printed: medians, and of the rounds' ratios the median.
"""

import argparse
import asyncio
import base64
import contextlib
import hashlib
import http.client
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from bench import content, procs, tools
from bench.load import MIB
from bench.procs import Trouble
from bench.servers import BUCKET, Hub, Server

KEYS = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench-secret", "AWS_DEFAULT_REGION": "us-east-1"}
PART = 8 * MIB
LAYERS = (10_000, 40_000, 100_000)
Seen = dict[str, dict[str, list[float]]]
"""What was done, by whom: seconds of each round."""
ON_BUCKET, ON_FILES, PLAIN = "hub on a bucket", "hub on files", "the server itself"


class Gateway(Server):
    """versitygw over a folder."""

    name = PLAIN
    ready = "/health"

    def command(self) -> list[str]:
        """One bucket for the hub, one for plain objects."""
        for bucket in ("hub", BUCKET):
            (self.data / bucket).mkdir(parents=True, exist_ok=True)
        words = [
            tools.versitygw(),
            "--quiet",
            "--keep-alive",
            "--health",
            self.ready,
            "--port",
            f"127.0.0.1:{self.port}",
        ]
        return [*words, "posix", str(self.data)]

    def environ(self) -> dict[str, str]:
        """Its owner's keys."""
        root = {"ROOT_ACCESS_KEY": KEYS["AWS_ACCESS_KEY_ID"], "ROOT_SECRET_KEY": KEYS["AWS_SECRET_ACCESS_KEY"]}
        return {**os.environ, **root}


class KeptHub(Hub):
    """A hub with settings; small blobs are no rows."""

    def __init__(self, folder: Path, name: str, **settings: str) -> None:
        self._given = {f"ENTREPOT_{word.upper()}": value for word, value in {"row_bytes": "0", **settings}.items()}
        super().__init__(folder)
        self.name = name

    def environ(self) -> dict[str, str]:
        """The settings, and the keys of the bucket."""
        return {**super().environ(), **KEYS, **self._given}


def push(hub: Server, blob: bytes) -> str:
    """A blob in one chunk, as Docker sends it; where it is then."""
    headers, repository = hub.headers(f"{BUCKET}/large"), f"/v2/{BUCKET}/large"
    client = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=300)
    place = _begin(client, hub, repository, headers)
    _ask(client, "PATCH", place, headers, blob)
    _ask(client, "PUT", f"{place}?digest={content.digest_of(blob)}", headers, b"")
    client.close()
    return f"{repository}/blobs/{content.digest_of(blob)}"


def images(hub: Server, made: list[tuple[list[bytes], bytes]]) -> None:
    """Each one's blobs, then its manifest, one request after the other."""
    headers, repository = hub.headers(f"{BUCKET}/small"), f"/v2/{BUCKET}/small"
    client = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=300)
    for blobs, manifest in made:
        for blob in blobs:
            place = _begin(client, hub, repository, headers)
            _ask(client, "PUT", f"{place}?digest={content.digest_of(blob)}", headers, blob)
        kind = {**headers, "Content-Type": content.ACCEPT}
        _ask(client, "PUT", f"{repository}/manifests/{content.digest_of(manifest)}", kind, manifest)
    client.close()


def _begin(client: http.client.HTTPConnection, hub: Server, repository: str, headers: dict[str, str]) -> str:
    return _ask(client, "POST", f"{repository}/blobs/uploads/", headers, None)["location"].removeprefix(hub.url)


def _ask(
    client: http.client.HTTPConnection, method: str, path: str, headers: dict[str, str], body: bytes | None
) -> dict[str, str]:
    client.request(method, path, body, headers)
    reply = client.getresponse()
    told = reply.read()
    if reply.status >= 300:
        raise Trouble(f"{method} {path}: {reply.status} {told[:200]!r}")
    return {name.lower(): value for name, value in reply.getheaders()}


def pull(port: int, path: str, headers: dict[str, str], size: int) -> None:
    """Read a blob to its end."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    client.request("GET", path, headers=headers)
    reply, done = client.getresponse(), 0
    while piece := reply.read(MIB):
        done += len(piece)
    client.close()
    if done != size:
        raise Trouble(f"GET {path}: {reply.status}, {done} bytes of {size}")


def _md5(part: bytes) -> str:
    return base64.b64encode(hashlib.md5(part, usedforsecurity=False).digest()).decode()


class Plain:
    """A client of the server, with nothing between: its requests are those that the hub makes, MD5 and all."""

    def __init__(self, url: str) -> None:
        self._url = url

    def _client(self) -> Any:
        config = AioConfig(
            signature_version="s3v4", request_checksum_calculation="when_required",
            s3={"addressing_style": "path", "payload_signing_enabled": False},
        )  # fmt: skip
        return get_session().create_client(
            "s3", endpoint_url=self._url, region_name="us-east-1", config=config,
            aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"], aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        )  # fmt: skip

    async def put(self, key: str, blob: bytes) -> str:
        """A multipart upload; a path at which it can be read."""
        async with self._client() as client:
            begun = await client.create_multipart_upload(Bucket=BUCKET, Key=key)
            lanes = asyncio.Semaphore(2)

            async def send(number: int, part: bytes) -> dict[str, Any]:
                async with lanes:
                    done = await client.upload_part(
                        Bucket=BUCKET,
                        Key=key,
                        UploadId=begun["UploadId"],
                        PartNumber=number,
                        Body=part,
                        ContentMD5=await asyncio.to_thread(_md5, part),
                    )
                    return {"PartNumber": number, "ETag": done["ETag"]}

            parts = [blob[start : start + PART] for start in range(0, len(blob), PART)]
            sent = await asyncio.gather(*(send(number, part) for number, part in enumerate(parts, 1)))
            await client.complete_multipart_upload(
                Bucket=BUCKET, Key=key, UploadId=begun["UploadId"], MultipartUpload={"Parts": list(sent)}
            )
            url: str = await client.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": key})
            return url.removeprefix(self._url)

    async def put_all(self, made: list[tuple[list[bytes], bytes]]) -> None:
        """Each blob and manifest as an object, one after the other."""
        async with self._client() as client:
            for blobs, manifest in made:
                for blob in (*blobs, manifest):
                    await client.put_object(
                        Bucket=BUCKET, Key=content.digest_of(blob), Body=blob, ContentMD5=_md5(blob)
                    )


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and what came of it."""
    began = time.perf_counter()
    made = work()
    return time.perf_counter() - began, made


def image() -> tuple[list[bytes], bytes]:
    """Its blobs, the config first, and its manifest."""
    config, *layers = blobs = [os.urandom(size) for size in (300, *LAYERS)]
    return blobs, content.manifest(config, layers)


def cpu_of(server: Server) -> float:
    """Seconds of processor time so far."""
    assert server.process is not None
    return procs.cpu(server.process.pid)


def measure(servers: dict[str, Server], size: int, count: int, round_: int, seen: Seen) -> None:
    """One round; every other one goes the other way round."""
    names = list(servers)[:: -1 if round_ % 2 else 1]
    gateway = servers[PLAIN]
    plain = Plain(gateway.url)
    for name in names:
        server, blob = servers[name], os.urandom(size)
        put = partial(asyncio.run, plain.put(f"large-{round_}", blob)) if name == PLAIN else partial(push, server, blob)
        before = cpu_of(server), cpu_of(gateway)
        seconds, path = timed(put)
        seen["push"][name].append(seconds)
        seen["cpu"][name].append(cpu_of(server) - before[0])
        seen["server's cpu"][name].append(cpu_of(gateway) - before[1])
        headers = server.headers(f"{BUCKET}/large")
        seen["pull"][name].append(timed(partial(pull, server.port, path, headers, size))[0])
        made = [image() for _ in range(count)]
        small = partial(asyncio.run, plain.put_all(made)) if name == PLAIN else partial(images, server, made)
        seen["images"][name].append(timed(small)[0])


def tell(seen: Seen, size: int, count: int) -> None:
    """The medians, and how much longer each takes than the server itself."""
    words = {
        "push": f"push of {size // MIB} MiB",
        "pull": f"pull of {size // MIB} MiB",
        "images": f"{count} small images",
    }
    for what, word in words.items():
        for name, values in seen[what].items():
            ratio = statistics.median(a / b for a, b in zip(values, seen[what][PLAIN], strict=True))
            sys.stdout.write(f"{word:20} {name:18} {statistics.median(values):7.3f} s   x {ratio:.2f}\n")
    sys.stdout.write(f"{words['push']}: {cpu_words(seen)}\n")


def cpu_words(seen: Seen) -> str:
    """Who used how much of the processor while a large blob went in."""
    hub, behind, alone = (
        statistics.median(seen[what][name])
        for what, name in (("cpu", ON_BUCKET), ("server's cpu", ON_BUCKET), ("cpu", PLAIN))
    )
    return f"CPU of the hub {hub:.2f} s, of the server behind it {behind:.2f} s, of the server alone {alone:.2f} s"


@contextlib.contextmanager
def servers(folder: Path) -> Iterator[dict[str, Server]]:
    """The server, a hub on a bucket of it, and a hub on files.

    The server has a core of its own, as it has a machine of its own elsewhere: on shared ones the hub would be
    measured by how much of them it leaves to the server.
    """
    gateway = Gateway(folder / "gateway")
    made: dict[str, Server] = {}
    cores = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(cores)})
        gateway.start()
        os.sched_setaffinity(0, cores - {min(cores)} or cores)
        bucket = {"blobs_url": "s3://hub/bench", "s3_endpoint": gateway.url, "s3_region": "us-east-1"}
        made = {
            ON_BUCKET: KeptHub(folder / "bucket", ON_BUCKET, **bucket),
            ON_FILES: KeptHub(folder / "files", ON_FILES),
        }
        for hub in made.values():
            hub.start()
        yield {**made, PLAIN: gateway}
    finally:
        os.sched_setaffinity(0, cores)
        for server in (*made.values(), gateway):
            server.stop()


def rounds(folder: Path, size: int, count: int, times: int, report: Callable[[str], None]) -> Seen:
    """So many rounds of all that is measured here."""
    with servers(folder) as up:
        seen: Seen = {what: {name: [] for name in up} for what in ("push", "pull", "images", "cpu", "server's cpu")}
        for place in range(times):
            measure(up, size, count, place, seen)
            report(f"bytes on S3: round {place + 1} of {times}")
    return seen


def main() -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.s3", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--size", type=int, default=100, metavar="MIB")
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="entrepot-bench-") as folder:
        tell(
            rounds(Path(folder), given.size * MIB, given.images, given.rounds, lambda _: None),
            given.size * MIB,
            given.images,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
