"""What the stores of local files need of the disk: folders that stay, and its refusals in the hub's words."""

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from entrepot.errors import HubError, Kind


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_upload(descriptor: int, source: Path) -> None:
    """Bring an upload to the disk. After a failure it is gone: the system forgets which pages it could not write, so
    the next fsync would say yes to bytes that the disk does not have.
    """
    try:
        os.fsync(descriptor)
    except OSError:
        source.unlink(missing_ok=True)
        raise


def own_upload(descriptor: int, path: Path) -> None:
    """Own the upload; raises RANGE_INVALID, and UPLOAD_UNKNOWN when it was published meanwhile."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as fault:
        raise HubError(
            Kind.RANGE_INVALID, "another request is writing to this upload; ask its status, then go on"
        ) from fault
    # The file may have become a stored object between open and lock: those bytes must never change again.
    if not path.exists() or path.stat().st_ino != os.fstat(descriptor).st_ino:
        raise HubError(Kind.UPLOAD_UNKNOWN, path.name)


def old_names(folder: Path, before: float, limit: int | None = None) -> list[str]:
    """Names of what is in a folder and was not written to since a time (Unix seconds). Raises OSError."""
    found: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                if entry.stat().st_mtime < before:
                    found.append(entry.name)
            if len(found) == limit:
                break
    return found


@contextlib.contextmanager
def write_faults(place: Path) -> Iterator[None]:
    """Turn what the system says against writing to a folder or file that the operator named into UNAVAILABLE."""
    try:
        yield
    except OSError as fault:
        raise HubError(Kind.UNAVAILABLE, f"{place} cannot be written: {fault.strerror}") from fault


class disk_faults:  # noqa: N801 - reads as a statement
    """Turn the disk's refusal into NO_SPACE, or (read-only, failing) UNAVAILABLE with the system's own word for it."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, fault: BaseException | None, trace: object) -> None:
        if isinstance(fault, FileNotFoundError):
            raise HubError(Kind.UPLOAD_UNKNOWN, "its bytes are gone") from fault
        if isinstance(fault, OSError) and fault.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise HubError(Kind.NO_SPACE, f"the data folder: {fault.strerror}") from fault
        if isinstance(fault, OSError):
            raise HubError(Kind.UNAVAILABLE, f"the data folder cannot be used: {fault.strerror}") from fault
