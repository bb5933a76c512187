"""Secrets: the key file of the data folder, password hashes, encryption of what must be recoverable.

The key file is made at `init`, mode 0600, and leaves the machine only with a backup; losing it loses the access keys
(they can be made anew), not the images.
"""

import base64
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from entrepot import failpoint
from entrepot.errors import HubError, Kind

KEY_FILE = "hub.key"
OPENED = 4096
"""Most opened secrets kept in memory: a key signs many calls."""


class Vault:
    """Everything that needs the key file's 32 bytes."""

    def __init__(self, master: bytes) -> None:
        self._master = master
        self._sealer = AESGCM(self.derive("access-key"))
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._dummy = self._hasher.hash("no such user")
        self._opened: dict[tuple[str, str], str] = {}

    def derive(self, purpose: str) -> bytes:
        """A key of 32 bytes for one purpose; the same on every worker and node."""
        return hmac.digest(self._master, purpose.encode(), hashlib.sha256)

    @property
    def fingerprint(self) -> str:
        """Tells one hub from another, and whether a key file belongs to it; opens nothing."""
        return self.derive("fingerprint").hex()

    def seal(self, text: str, label: str) -> str:
        """Encrypt ``text``; ``label`` names its row, so that a sealed value cannot be moved to another one."""
        nonce = os.urandom(12)
        return base64.b64encode(nonce + self._sealer.encrypt(nonce, text.encode(), label.encode())).decode()

    def open(self, sealed: str, label: str) -> str:
        """Undo ``seal``; raises UNAVAILABLE when the key file is not the one it was sealed with."""
        known = self._opened.get((sealed, label))
        if known is not None:
            return known
        raw = base64.b64decode(sealed)
        try:
            text = self._sealer.decrypt(raw[:12], raw[12:], label.encode()).decode()
        except InvalidTag as fault:
            raise HubError(Kind.UNAVAILABLE, f"{KEY_FILE} is not the key file this data was made with") from fault
        if len(self._opened) >= OPENED:
            self._opened.pop(next(iter(self._opened)))
        self._opened[sealed, label] = text
        return text

    def hash_password(self, password: str) -> str:
        """An argon2id hash; deliberately slow (tens of milliseconds): call it in a thread."""
        return self._hasher.hash(password)

    def check_password(self, hashed: str | None, password: str) -> bool:
        """Compare; without a hash the same time is spent, so a missing user cannot be told by the clock."""
        try:
            return self._hasher.verify(hashed or self._dummy, password) and hashed is not None
        except (VerificationError, InvalidHashError):
            return False


def create_key_file(path: Path, content: bytes | None = None) -> None:
    """Make the key file, or bring one back, whole and durable before it has its name; raises FileExistsError."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content or secrets.token_bytes(32))
            file.flush()
            os.fsync(file.fileno())
        failpoint.at("key.synced")
        os.link(draft, path)
        failpoint.at("key.named")
    finally:
        draft.unlink()
    failpoint.at("key.draft-gone")
    directory = os.open(path.parent, os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)
    failpoint.at("key.durable")


def read_key_file(path: Path) -> bytes:
    """What is in the key file; raises NOT_INITIALISED when there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError as fault:
        raise HubError(
            Kind.NOT_INITIALISED, f"{path.parent}; run `entrepot init --data {path.parent}` first"
        ) from fault


def open_key_file(path: Path) -> Vault:
    """Read the key file; raises as ``read_key_file``."""
    return Vault(read_key_file(path))
