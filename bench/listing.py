"""GetImageBucketList in a small hub and in a big one, side by side: signed calls through the whole app, in process.

    python -m bench.listing DIR[,URL] ...     folders made by `entrepot init` and filled by `entrepot bench seed`;
                                              URL: of the PostgreSQL database that holds the rows of one

The calls of all folders are interleaved, so that what else the machine does meets them alike.
"""

import asyncio
import gc
import json
import logging
import statistics
import sys
import time
from typing import Any
from urllib.parse import urlencode

import structlog

from entrepot import config, wiring
from entrepot.model import signing
from entrepot.ops import people
from entrepot.ops.context import Hub

ROUNDS = 3000
FORM = [(b"host", b"hub"), (b"content-type", b"application/x-www-form-urlencoded")]
PAGES: dict[str, dict[str, str]] = {
    "All": {"BucketType": "All"},
    "User": {"BucketType": "User"},
    "Share": {"BucketType": "Share"},
    "BucketName": {"BucketName": "?"},
    "last page": {"BucketType": "All", "Offset": "?"},
    "middle page": {"BucketType": "All", "Offset": "??"},
}


class Subject:
    """A hub that is called in process by its first account."""

    def __init__(self, hub: Hub, keys: tuple[str, str]) -> None:
        self.hub = hub
        self.app = wiring.build_app(hub)
        self.keys = keys
        self.total = 0
        self.name = ""

    async def call(self, **params: str) -> tuple[float, dict[str, Any]]:
        """(seconds, answer) of one signed call; the signature is made outside of the clock."""
        flat = {"Action": "GetImageBucketList", "Region": "cn-bj2", "PublicKey": self.keys[0], **params}
        flat["Signature"] = signing.sign(flat, self.keys[1])
        body = urlencode(flat).encode()
        headers = [*FORM, (b"content-length", str(len(body)).encode())]
        scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers,
                 "client": ("127.0.0.1", 1), "scheme": "http"}  # fmt: skip
        answer: list[bytes] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.body":
                answer.append(message["body"])

        start = time.perf_counter()
        await self.app(scope, receive, send)
        took = time.perf_counter() - start
        return took, json.loads(answer[0])

    async def prepare(self) -> None:
        """Learn how many buckets there are, and a name from their middle."""
        _, answer = await self.call(Limit="1")
        self.total = answer["TotalCount"]
        _, answer = await self.call(Limit="1", Offset=str(self.total // 2))
        self.name = answer["ImageSet"][0]["BucketName"]

    def fill(self, params: dict[str, str]) -> dict[str, str]:
        """A page's parameters for this hub."""
        known = {"BucketName": {"?": self.name}, "Offset": {"?": str(self.total - 20), "??": str(self.total // 2)}}
        return {name: known.get(name, {}).get(value, value) for name, value in params.items()}


async def open_subject(place: str) -> Subject:
    """A folder, or a folder and a database, with a fresh key of its first account."""
    folder, _, url = place.partition(",")
    settings = config.load(environ={}, data=folder, calls_per_second=0, database_url=url)
    hub = await wiring.open_hub(settings)
    owner = await people.operator(hub)
    made = await people.create_key(hub, owner.email)
    subject = Subject(hub, (made.public_key, made.private_key))
    await subject.prepare()
    return subject


def quiet() -> None:
    """As `entrepot serve` logs: nothing for a call that went well."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))


Times = dict[str, list[list[tuple[float, float]]]]
"""Page -> hub -> round: median and 99th percentile in microseconds."""


async def measure(folders: list[str], rounds: int, calls: int) -> Times:
    """Call every page of every hub in turn. A page that lists nothing in one of them is left out."""
    subjects = [await open_subject(folder) for folder in folders]
    found: Times = {}
    for title, params in PAGES.items():
        totals = [(await subject.call(**subject.fill(params)))[1]["TotalCount"] for subject in subjects]
        if all(totals):
            found[title] = [[] for _ in subjects]
            for _ in range(rounds):
                for seen, times in zip(found[title], await _round(subjects, params, calls), strict=True):
                    seen.append((statistics.median(times), statistics.quantiles(times, n=100)[98]))
    for subject in subjects:
        await wiring.close_hub(subject.hub)
    return found


async def _round(subjects: list[Subject], params: dict[str, str], calls: int) -> list[list[float]]:
    times: list[list[float]] = [[] for _ in subjects]
    gc.collect()
    gc.disable()
    for _ in range(calls if params.get("Offset") is None else max(calls // 10, 100)):
        for place, subject in enumerate(subjects):
            took, answer = await subject.call(**subject.fill(params))
            assert answer["RetCode"] == 0
            assert answer["ImageSet"]
            times[place].append(took * 1e6)
    gc.enable()
    return times


def main(folders: list[str]) -> None:
    """Print medians and 99th percentiles in microseconds, and the last folder's p99 over the first one's."""
    for title, hubs in asyncio.run(measure(folders, 1, ROUNDS)).items():
        shown = [rounds[0] for rounds in hubs]
        cells = "   ".join(f"p50 {half:9.0f} p99 {most:9.0f}" for half, most in shown)
        sys.stdout.write(f"{title:12} {cells}   ratio of p99 {shown[-1][1] / shown[0][1]:.2f}\n")


if __name__ == "__main__":
    quiet()
    main(sys.argv[1:])
