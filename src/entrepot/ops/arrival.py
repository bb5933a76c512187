"""A hub on its way into an empty folder: from a backup (``restore``), or from where it serves (``moving``).

The folder holds a marker from the first byte to the last, and no hub opens there meanwhile. What was killed is run
again and goes on.
"""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from entrepot import failpoint
from entrepot.errors import HubError, Kind
from entrepot.ops import vault
from entrepot.store import backup_folder
from entrepot.store.blobs import Objects
from entrepot.store.db import RowsPlace
from entrepot.store.disk import sync_folder, write_faults

MARKER = "restoring.json"
DRAFT = ".hub.db"
"""Rows on their way."""


class Marker(msgspec.Struct, frozen=True):
    """Which hub comes; from which generation of its backups, or "" where it moves."""

    hub: str
    generation: str


class Places(NamedTuple):
    """Where a hub gets what it consists of."""

    rows: RowsPlace
    blobs: Objects
    key: Path


def unfinished(data: Path) -> str:
    """The command that has not ended in this folder; "" for none."""
    if not (data / MARKER).exists():
        return ""
    return "restore" if _read(data).generation else "migrate-data"


@contextlib.contextmanager
def owned(data: Path) -> Iterator[None]:
    """Own a folder, made when missing.

    Raises UNAVAILABLE while another restore or move works on it, and where it cannot be written.
    """
    with write_faults(data):
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        failpoint.at("restore.folder-made")
        with _alone(data):
            yield


def begin(data: Path, rows: RowsPlace, first: Callable[[], Marker]) -> Marker:
    """The marker of an owned folder: what was begun there, or else, in an empty folder, ``first``.

    Raises EXISTS for a folder that holds anything else, or where ``rows`` has a hub.
    """
    if not (data / MARKER).exists():
        others = sorted(one.name for one in data.iterdir() if one.name not in {"lost+found", f".{MARKER}"})
        if others:
            raise HubError(
                Kind.EXISTS,
                f"{data} is not empty; name a new folder, or move this one away first: mv {data} {data}.old",
            )
        wanted = first()
        rows.check_empty()
        backup_folder.replace(data / MARKER, msgspec.json.encode(wanted))
    return _read(data)


def _read(data: Path) -> Marker:
    return msgspec.json.decode((data / MARKER).read_bytes(), type=Marker)


@contextlib.contextmanager
def _alone(data: Path) -> Iterator[None]:
    descriptor = os.open(data, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as fault:
        os.close(descriptor)
        raise HubError(Kind.UNAVAILABLE, f"another restore or move into {data} is running") from fault
    try:
        yield
    finally:
        os.close(descriptor)


def put_key(path: Path, key: bytes) -> None:
    """Make the key file; one with the same key may be there. Raises EXISTS for another hub's."""
    for draft in path.parent.glob(f".{path.name}.{'[0-9a-f]' * 8}"):  # a killed run's
        draft.unlink(missing_ok=True)
    failpoint.at("restore.key-cleared")
    if not path.exists():
        vault.create_key_file(path, key)
    elif path.read_bytes() != key:
        raise HubError(Kind.EXISTS, f"{path} is the key file of another hub; move it away, or set another key_file")


def clear_drafts(data: Path) -> None:
    """Remove the rows that a killed run left on their way, and their journals."""
    for old in data.glob(f"{DRAFT}*"):
        old.unlink()
    failpoint.at("restore.draft-cleared")


def finish(data: Path) -> None:
    """Open the folder for the hub."""
    (data / MARKER).unlink()
    failpoint.at("restore.opened")
    sync_folder(data)
    failpoint.at("restore.durable")
