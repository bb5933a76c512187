"""What the stores of local files need of the disk: folders that stay, and its refusals in the hub's words."""

import errno
import os
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
