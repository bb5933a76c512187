"""Ready is not alive: /readyz follows rows, bytes and the wish to stop; /healthz follows none of them."""

import pytest

from tests import stored
from tests.conftest import TestHub
from tests.failures.test_database import spoil
from tests.registry.kit import push_blob


def told(hub: TestHub) -> tuple[int, str]:
    reply = hub.request("GET", "/readyz")
    assert hub.request("GET", "/healthz").status == 200
    return reply.status, reply.body.decode().strip()


def test_a_new_hub_is_ready(hub: TestHub) -> None:
    assert told(hub) == (200, "ready")


@pytest.mark.parametrize("size", [100, 200_000])
def test_bytes_that_are_away(hub: TestHub, size: int) -> None:
    hub.bucket("helloworld")
    name = push_blob(hub, "helloworld/app", b"x" * size, hub.main)
    assert told(hub) == (200, "ready")
    is_outside = size > hub.settings.row_bytes
    with stored.away(hub):
        assert told(hub) == ((503, "bytes") if is_outside else (200, "ready"))
    assert told(hub) == (200, "ready")
    if is_outside:
        # One object that is gone is damage, and no reason to send everybody away.
        stored.object_of(hub, name).unlink()
        assert told(hub) == (200, "ready")


def test_rows_that_are_away(hub: TestHub) -> None:
    hub.close()
    spoil(hub.settings.data_dir, "sqlite_autoindex_blob_2")
    hub.open()
    assert told(hub) == (503, "rows")


def test_draining_is_told_first(hub: TestHub) -> None:
    hub.hub.tally.drain()
    assert told(hub) == (503, "draining")
    assert hub.request("GET", "/readyz").headers["connection"] == "close"
