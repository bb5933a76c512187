"""What clients see of a hub that keeps its bytes in a bucket: redirects, ranges, nothing at all, and another node."""

import asyncio
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import postgres, s3
from tests.conftest import Loop, TestHub
from tests.registry.kit import digest, push_blob

NAME = "depot/app"
PLACE = f"/v2/{NAME}/blobs"
HERE, ELSEWHERE = "127.0.0.0/8", "192.0.2.0/24"
CONTENT = os.urandom(300_000)


@pytest.fixture
def opened(loop: Loop, tmp_path: Path) -> Iterator[Any]:
    """Opens hubs in a bucket."""
    made: list[TestHub] = []

    def open_(**given: Any) -> TestHub:
        folder = tmp_path / "data"
        hub = TestHub(loop, folder, **{**s3.settings_of(folder), **given})
        made.append(hub)
        hub.bucket("depot")
        return hub

    yield open_
    for one in made:
        one.close()


def fetched(url: str, **headers: str) -> tuple[int, bytes, str]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, headers=headers), timeout=10) as reply:
        return reply.status, reply.read(), reply.headers["content-type"]


def test_clients_of_some_networks_read_from_the_bucket(opened: Any) -> None:
    hub = opened(blobs_redirect_networks=HERE, blobs_redirect_seconds=30)
    place = f"{PLACE}/{push_blob(hub, NAME, CONTENT, hub.main)}"
    reply = hub.request("GET", place, login=hub.main)
    assert (reply.status, reply.body, reply.headers["cache-control"]) == (307, b"", "no-store")
    url = reply.headers["location"]
    assert fetched(url) == (200, CONTENT, "application/octet-stream")
    assert fetched(url, range="bytes=10-19")[:2] == (206, CONTENT[10:20])
    end = re.search(r"(?<=X-Amz-Expires=)30|(?<=[?&]se=)2[^&]+", url)
    assert end is not None
    if s3.session_server().kind != "moto":  # it takes any signature
        with pytest.raises(urllib.error.HTTPError):
            fetched(url.replace(f"={end[0]}", "=31" if end[0] == "30" else f"=3{end[0][1:]}"))
    head = hub.request("HEAD", place, login=hub.main)
    assert (head.status, head.headers["content-length"]) == (200, "300000")
    small = f"{PLACE}/{push_blob(hub, NAME, b'in a row', hub.main)}"
    assert hub.request("GET", small, login=hub.main).body == b"in a row"
    assert hub.request("GET", place).status == 401, "whoever may not read gets no address"


def test_others_read_through_the_hub(opened: Any) -> None:
    hub = opened(blobs_redirect_networks=ELSEWHERE)
    place = f"{PLACE}/{push_blob(hub, NAME, CONTENT, hub.main)}"
    assert hub.request("GET", place, login=hub.main).body == CONTENT
    for asked, start, end in (("5-9", 5, 10), ("-7", 299_993, 300_000), ("299999-", 299_999, 300_000)):
        reply = hub.request("GET", place, headers={"range": f"bytes={asked}"}, login=hub.main)
        assert (reply.status, reply.body) == (206, CONTENT[start:end])
        assert reply.headers["content-range"] == f"bytes {start}-{end - 1}/300000"
    assert hub.request("GET", place, headers={"range": "bytes=300000-"}, login=hub.main).status == 416


def test_a_blob_without_a_byte(opened: Any) -> None:
    hub = opened(row_bytes=0, blobs_redirect_networks=HERE)
    place = f"{PLACE}/{push_blob(hub, NAME, b'', hub.main)}"
    reply = hub.request("GET", place, login=hub.main)
    assert (reply.status, reply.body, reply.headers["content-length"]) == (200, b"", "0")
    assert hub.request("HEAD", place, login=hub.main).status == 200


class Node(TestHub):
    """Another node of a hub: rows, bytes and key are the same, its folder is its own."""

    def __init__(self, first: TestHub, folder: Path, **shared: Any) -> None:
        folder.mkdir()
        self.loop, self.main_of = first.loop, first
        self.settings = first.settings.__class__(**{**_fields(first), "data": str(folder), **shared})
        self.open()


def _fields(hub: TestHub) -> dict[str, Any]:
    return {name: getattr(hub.settings, name) for name in hub.settings.__struct_fields__}


@pytest.fixture
def nodes(opened: Any, tmp_path: Path) -> Iterator[tuple[TestHub, Node]]:
    first = opened(database_url=postgres.shared().hub_database(), row_bytes=1000)
    second = Node(first, tmp_path / "second", key_file=str(first.settings.key_path))
    yield first, second
    second.close()


def test_an_upload_that_one_node_began_is_ended_by_another(nodes: tuple[TestHub, Node]) -> None:
    first, second = nodes
    chunks = [os.urandom(size) for size in (9 * 1024 * 1024, 100, 9 * 1024 * 1024, 5000)]
    place = first.request("POST", f"{PLACE}/uploads/", login=first.main).headers["location"]
    for node, chunk in zip((first, second, first, second), chunks, strict=True):
        assert node.request("PATCH", place, body=chunk, login=first.main).status == 202
    whole = b"".join(chunks)
    assert second.request("PUT", f"{place}?digest={digest(whole)}", login=first.main).status == 201
    assert first.request("GET", f"{PLACE}/{digest(whole)}", login=first.main).body == whole


def test_a_wrong_digest_of_an_upload_over_two_nodes_is_found_out(nodes: tuple[TestHub, Node]) -> None:
    first, second = nodes
    place = first.request("POST", f"{PLACE}/uploads/", login=first.main).headers["location"]
    for node in nodes:
        assert node.request("PATCH", place, body=os.urandom(9 * 1024 * 1024), login=first.main).status == 202
    reply = second.request("PUT", f"{place}?digest={digest(CONTENT)}", login=first.main)
    assert (reply.status, reply.code) == (400, "DIGEST_INVALID")
    assert first.request("GET", place, login=first.main).status == 404


def test_of_two_nodes_that_append_at_once_one_does(nodes: tuple[TestHub, Node]) -> None:
    first, second = nodes
    place = first.request("POST", f"{PLACE}/uploads/", login=first.main).headers["location"]
    bodies = [bytes([number]) * 9_000_000 for number in (1, 2)]

    async def both() -> list[int]:
        asked = [
            node.ask("PATCH", place, body=[body[at : at + 65_536] for at in range(0, len(body), 65_536)],
                     headers={"content-range": f"0-{len(body) - 1}"}, login=first.main)
            for node, body in zip(nodes, bodies, strict=True)
        ]  # fmt: skip
        return [one.status for one in await asyncio.gather(*asked)]

    answers = first.run(both())
    assert sorted(answers) == [202, 416]
    whole = bodies[answers.index(202)]
    assert second.request("PUT", f"{place}?digest={digest(whole)}", login=first.main).status == 201
    assert first.request("GET", f"{PLACE}/{digest(whole)}", login=first.main).body == whole


def test_of_two_nodes_that_end_one_session_with_a_body_each_one_does(nodes: tuple[TestHub, Node]) -> None:
    """No lease keeps them apart: the rows do."""
    first, _ = nodes
    same, *others = [bytes([number]) * 9_000_000 for number in (1, 2, 3)]
    for contents in ((same, same), tuple(others)):  # whoever ends a session with what the image has is told 201
        place = first.request("POST", f"{PLACE}/uploads/", login=first.main).headers["location"]

        async def both(place: str = place, contents: tuple[bytes, ...] = contents) -> list[int]:
            asked = [
                node.ask("PUT", f"{place}?digest={digest(body)}", login=first.main,
                         body=[body[at : at + 65_536] for at in range(0, len(body), 65_536)])
                for node, body in zip(nodes, contents, strict=True)
            ]  # fmt: skip
            return [one.status for one in await asyncio.gather(*asked)]

        answers = first.run(both())
        assert sorted(answers) == [201, 201 if contents[0] == contents[1] else 404]
        for body, status in zip(contents, answers, strict=True):
            if status == 201:
                assert first.request("GET", f"{PLACE}/{digest(body)}", login=first.main).body == body
        assert first.request("GET", place, login=first.main).status == 404


def test_a_blob_in_the_request_that_ends_its_session_is_one_request_to_the_bucket(
    opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = opened(row_bytes=0)
    push_blob(hub, NAME, b"the first one marks the place", hub.main)
    asked: list[str] = []
    store = type(hub.hub.blobs._remote)  # type: ignore[attr-defined]
    ask = store._ask

    async def watched(remote: Any, request: str, *words: Any, **given: Any) -> Any:
        asked.append(request)
        return await ask(remote, request, *words, **given)

    monkeypatch.setattr(store, "_ask", watched)
    place = hub.request("POST", f"{PLACE}/uploads/", login=hub.main).headers["location"]
    before = hub.queries()
    assert hub.request("PUT", f"{place}?digest={digest(CONTENT)}", body=CONTENT, login=hub.main).status == 201
    assert asked == ["upload_blob" if s3.session_server().kind == "azurite" else "put_object"]
    assert hub.queries() - before == 23, "no lease, no row of the session before it ends"
