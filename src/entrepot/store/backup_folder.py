"""A folder of backups: generations that share stored objects.

    about.json                       whose backups these are
    blobs/<key>                      stored objects, under the keys they have in the hub; written once
    generations/<number>-<time>/     rows.db, hub.key (unless left out), about.json; whole once it has its name
    drafts/, uploads/                what is being written or removed; the next backup clears what a kill left there

A generation gets its name when every object that it names is durable, and loses it before any of them is removed. So at
every moment each generation that has a name can be restored.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from entrepot import failpoint
from entrepot.errors import HubError, Kind
from entrepot.store.blobs_fs import FileBlobStore
from entrepot.store.disk import sync_folder, write_faults
from entrepot.store.sql.backup import Counts

FORMAT = 1
ROWS = "rows.db"
KEY = "hub.key"
ABOUT = "about.json"
LOCK = "lock"
_NAME = re.compile(r"\d{6,}-\d{8}T\d{6}Z")
_PIECE = 1024 * 1024


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a generation says of itself.

    ``hub``: the fingerprint of the hub's key file. ``damaged``: digests of blobs that the hub had no right bytes of.
    """

    format: int
    hub: str
    made_at: int
    schema: int
    rows_bytes: int
    rows_sha256: str
    has_key: bool
    counts: Counts
    damaged: list[str]


class _Owner(msgspec.Struct):
    format: int
    hub: str


class BackupFolder:
    """The folder, opened for writing to it (``writing``) or for reading from it (``reading``)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._drafts = folder / "drafts"
        self._generations = folder / "generations"

    @property
    def objects(self) -> FileBlobStore:
        """The stored objects of all generations."""
        return FileBlobStore(self.folder)

    @contextlib.contextmanager
    def writing(self, hub: str) -> Iterator[Path]:
        """Own the folder, made when missing; a fresh place for the rows of a new generation.

        ``hub``: the fingerprint of the hub. Raises EXISTS for a folder that holds something else or another hub's
        backups, UNAVAILABLE while another backup or restore works here, and for a full disk.
        """
        with write_faults(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            failpoint.at("backup.folder-made")
            self._check(hub)
            with self._locked(fcntl.LOCK_EX):
                if self._check(hub) is None:
                    replace(self.folder / ABOUT, msgspec.json.encode(_Owner(FORMAT, hub)))
                self._clear()
                (self._drafts / "new").mkdir(parents=True, mode=0o700)
                failpoint.at("backup.draft-made")
                self._generations.mkdir(exist_ok=True, mode=0o700)
                failpoint.at("backup.generations-made")
                self.objects.make_place()
                failpoint.at("backup.place-made")
                sync_folder(self.folder)
                failpoint.at("backup.begun")
                try:
                    yield self._drafts / "new"
                finally:
                    self._clear()

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Keep backups from removing anything meanwhile. Raises BACKUP_UNKNOWN for a folder without backups."""
        if self._owner() is None:
            raise HubError(Kind.BACKUP_UNKNOWN, f"{self.folder}; `entrepot backup DATA TARGET` makes one")
        with self._locked(fcntl.LOCK_SH):
            yield

    def _clear(self) -> None:
        for folder in (self._drafts, self.folder / "uploads"):
            shutil.rmtree(folder, ignore_errors=True)
            failpoint.at("backup.cleared")

    def _owner(self) -> _Owner | None:
        try:
            return msgspec.json.decode((self.folder / ABOUT).read_bytes(), type=_Owner)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as fault:
            raise HubError(Kind.UNAVAILABLE, f"{self.folder / ABOUT} is damaged: {fault}") from fault

    def _check(self, hub: str) -> _Owner | None:
        """Who the folder belongs to, None when it is empty; raises unless it is ours to write to."""
        owner = self._owner()
        if owner is None:
            ours = {LOCK, f".{ABOUT}", "lost+found"}
            others = sorted(one.name for one in self.folder.iterdir() if one.name not in ours)
            if others:
                raise HubError(Kind.EXISTS, f"{self.folder} holds {others[0]!r} and no backups; name an empty folder")
        elif owner.format != FORMAT:
            raise HubError(Kind.UNSUPPORTED, f"{self.folder} is of a newer version; upgrade entrepot")
        elif owner.hub != hub:
            raise HubError(
                Kind.EXISTS, f"{self.folder} holds backups of another hub; give each hub a folder of its own"
            )
        return owner

    @contextlib.contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        is_writer = how == fcntl.LOCK_EX
        try:
            descriptor = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT if is_writer else os.O_RDONLY, 0o600)
        except FileNotFoundError:  # a copy of the folder on a medium that cannot be written: nobody writes to it
            yield
            return
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            os.close(descriptor)
            raise HubError(
                Kind.UNAVAILABLE, f"another backup, check or restore works on {self.folder}; wait until it ends"
            ) from fault
        try:
            yield
        finally:
            os.close(descriptor)

    def publish(self, about: About, key: bytes | None) -> str:
        """Give the draft its name, with the key file if it is to be in it. Every object must be durable by now."""
        draft = self._drafts / "new"
        if key is not None:
            replace(draft / KEY, key)
        replace(draft / ABOUT, msgspec.json.format(msgspec.json.encode(about)))
        (draft / ROWS).chmod(0o600)
        _sync_file(draft / ROWS)
        failpoint.at("backup.rows-synced")
        sync_folder(draft)
        failpoint.at("backup.draft-synced")
        number = max((int(name.partition("-")[0]) for name in self.generations()), default=0) + 1
        name = f"{number:06d}-{datetime.fromtimestamp(about.made_at, UTC):%Y%m%dT%H%M%SZ}"
        draft.rename(self._generations / name)
        failpoint.at("backup.named")
        sync_folder(self._generations)
        failpoint.at("backup.durable")
        return name

    def generations(self) -> list[str]:
        """Names of the generations, oldest first."""
        with contextlib.suppress(FileNotFoundError):
            names = [one.name for one in self._generations.iterdir() if _NAME.fullmatch(one.name)]
            return sorted(names, key=lambda name: (int(name.partition("-")[0]), name))
        return []

    def find(self, name: str | None) -> str:
        """A generation by name, or the newest one. Raises BACKUP_UNKNOWN."""
        names = self.generations()
        if not names:
            raise HubError(Kind.BACKUP_UNKNOWN, f"none in {self.folder} was finished yet")
        if name is not None and name not in names:
            raise HubError(Kind.BACKUP_UNKNOWN, f"{name}; in {self.folder} there are {' '.join(names)}")
        return name or names[-1]

    def path(self, name: str, file: str) -> Path:
        """A file of a generation."""
        return self._generations / name / file

    def about(self, name: str) -> About:
        """What a generation says of itself. Raises UNAVAILABLE when that cannot be read, UNSUPPORTED of newer ones."""
        path = self.path(name, ABOUT)
        try:
            content = path.read_bytes()
            if msgspec.json.decode(content, type=_Owner).format != FORMAT:
                raise HubError(Kind.UNSUPPORTED, f"{path} was made by a newer version; upgrade entrepot")
            return msgspec.json.decode(content, type=About)
        except (OSError, msgspec.DecodeError) as fault:
            raise HubError(Kind.UNAVAILABLE, f"{path} is damaged: {fault}") from fault

    def key(self, name: str) -> bytes | None:
        """The key file of a generation; None when it was left out."""
        try:
            return self.path(name, KEY).read_bytes()
        except FileNotFoundError:
            return None

    def drop(self, name: str) -> None:
        """Take a generation's name away, durably, then its files."""
        gone = self._drafts / name
        gone.parent.mkdir(exist_ok=True)
        (self._generations / name).rename(gone)
        failpoint.at("drop.unnamed")
        sync_folder(self._generations)
        failpoint.at("drop.synced")
        shutil.rmtree(gone)
        failpoint.at("drop.removed")

    def stored(self) -> Iterator[str]:
        """The keys of all stored objects, in no order."""
        top = self.folder / "blobs"
        for folder, _, files in os.walk(top):
            where = Path(folder).relative_to(top)
            yield from (str(where / name) for name in files)

    def remove(self, key: str) -> None:
        """Remove a stored object that no generation names."""
        (self.folder / "blobs" / key).unlink(missing_ok=True)
        failpoint.at("drop.object-removed")


def sha256(path: Path) -> str:
    """The digest of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_rows(source: Path, target: Path) -> str:
    """Copy a file into a new one, durably, for the owner alone; the sha256 of what was copied, in hex."""
    hasher = hashlib.sha256()
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with source.open("rb") as file, os.fdopen(descriptor, "wb") as copy:
        while piece := file.read(_PIECE):
            hasher.update(piece)
            copy.write(piece)
        copy.flush()
        os.fsync(copy.fileno())
    return hasher.hexdigest()


def replace(path: Path, content: bytes) -> None:
    """Write a small file for the owner alone, whole and durable before it has its name."""
    draft = path.with_name(f".{path.name}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    failpoint.at("file.synced")
    draft.rename(path)
    failpoint.at("file.named")
    sync_folder(path.parent)
    failpoint.at("file.durable")


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
