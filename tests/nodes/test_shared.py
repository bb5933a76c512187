"""What one node began or gave out is good at the others: uploads, tokens, sessions of the console, wrong logins."""

import base64
import contextlib
import hashlib
import http.client
import json
import random
import time
from itertools import cycle
from typing import Any

import pytest

from entrepot.ops import guesses
from tests.clients.load import BUCKET
from tests.clients.pushing import Pusher
from tests.conftest import Reply
from tests.console.kit import Surfer
from tests.nodes.town import NODES, Town

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("nodes")]


class Door:
    """A node, asked the way a hub inside the test is."""

    def __init__(self, host: str) -> None:
        self._host = host

    def request(self, method: str, path: str, *, headers: dict[str, str], body: bytes = b"") -> Reply:
        with contextlib.closing(http.client.HTTPConnection(self._host, 5000, timeout=60)) as client:
            client.request(method, path, body, headers)
            reply = client.getresponse()
            fields = [(name.lower(), value) for name, value in reply.getheaders()]
            return Reply(reply.status, dict(fields), reply.read(), all_headers=fields)


def test_an_upload_goes_from_node_to_node(three: Town) -> None:
    pieces = [random.randbytes(6_000_000) for _ in NODES]
    whole = b"".join(pieces)
    digest = "sha256:" + hashlib.sha256(whole).hexdigest()
    with three.clients, contextlib.ExitStack() as stack:
        nodes = [stack.enter_context(Pusher(5000, three.inside.main, host=three.host(name))) for name in NODES]
        place, sent = nodes[-1].start(f"{BUCKET}/travelling"), 0
        for node, piece in zip(nodes, pieces, strict=True):
            told = {"Content-Range": f"{sent}-{sent + len(piece) - 1}"}
            assert node.ask("PATCH", place, headers=told, body=piece).status == 202
            sent += len(piece)
        done = nodes[0].ask("PUT", f"{place}?digest={digest}", headers={"Content-Length": "0"})
        assert done.status == 201, done.body
        for node in nodes:
            assert node.ask("GET", f"/v2/{BUCKET}/travelling/blobs/{digest}").body == whole


def test_a_token_of_one_node_is_good_at_all(three: Town) -> None:
    with three.clients, Pusher(5000, three.inside.main, host=three.host(NODES[0])) as first:
        got = first.ask("GET", "/token?service=hub")
        bearer = {"authorization": f"Bearer {json.loads(got.body)['token']}"}
        for name in NODES:
            assert Door(three.host(name)).request("GET", "/v2/", headers=bearer).status == 200
            assert Door(three.host(name)).request("GET", "/v2/", headers={}).status == 401


def test_a_session_of_the_console_is_good_at_all_and_ends_at_all(three: Town) -> None:
    with three.clients:
        doors: list[Any] = [Door(three.host(name)) for name in NODES]
        surfer = Surfer(doors[0])
        assert surfer.sign_in(three.inside.main).headers["location"] == "/console"
        left = dict(surfer.cookies)
        for door in doors:
            surfer.hub = door
            assert surfer.get("/console").status == 200
        assert surfer.post("/console/logout", {}).headers["location"] == "/console/login"
        for door in doors:
            surfer.hub, surfer.cookies = door, dict(left)
            assert surfer.get("/console").status == 303


def test_wrong_logins_are_counted_for_all_nodes(three: Town) -> None:
    """Twice as many tries as one node admits, by turns: they would do if each node counted its own."""
    begun, seen = time.monotonic(), []
    with three.clients:
        wrong = base64.b64encode(f"{three.inside.email}:a guess".encode()).decode()
        for name, _ in zip(cycle(NODES), range(2 * guesses.AT_ONCE), strict=False):
            reply = Door(three.host(name)).request("GET", "/token", headers={"authorization": f"Basic {wrong}"})
            seen.append(reply.status)
    free_again = (time.monotonic() - begun) / guesses.SECONDS + 1
    assert guesses.AT_ONCE <= seen.count(401) <= guesses.AT_ONCE + free_again
    assert seen.count(401) + seen.count(429) == len(seen)
