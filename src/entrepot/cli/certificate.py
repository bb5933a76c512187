"""The certificate that the server shows: read and checked before anybody serves with it, and read again when renewed.

What was checked is held in memory, so that a process which starts later cannot meet half of a renewal.
"""

import os
import ssl
from pathlib import Path

import structlog
from cryptography import x509

from entrepot import tally
from entrepot.errors import HubError, Kind
from entrepot.tally import Tally

log = structlog.get_logger("certificate")
LOOK_SECONDS = 5.0
"""How often somebody looks whether the files are others now."""
EXPIRES = tally.cell(
    "entrepot_certificate_expires_timestamp_seconds", "newest", "When the certificate that is served ends."
)


class Certificate:
    """A certificate with its key, from two PEM files; making one raises CONFIG_INVALID when they cannot serve."""

    def __init__(self, cert: str, key: str, numbers: Tally) -> None:
        self._files = (Path(cert), Path(key))
        self._tally = numbers
        self._seen = self._look()
        self.held = self._read()
        """Paths of what is held; good in this process and those that it forks."""

    def renew(self) -> bool:
        """Whether the files hold another pair now, which was taken; one that cannot serve is told in the log."""
        seen = self._look()
        if seen == self._seen:
            return False
        self._seen = seen
        try:
            held = self._read()
        except HubError as fault:
            log.error("the new certificate cannot be used; the old one stays", reason=fault.detail)
            return False
        # The old copies stay open, as a process that starts at this moment may be about to read them.
        self.held = held
        log.info("a new certificate is served")
        return True

    def is_other(self) -> bool:
        """Whether the files have changed since they were read."""
        return self._look() != self._seen

    def _look(self) -> tuple[tuple[int, int, int], ...]:
        try:
            return tuple((found.st_ino, found.st_mtime_ns, found.st_size) for found in map(Path.stat, self._files))
        except OSError:
            return ()  # in the middle of a renewal, or no longer there

    def _read(self) -> tuple[str, str]:
        try:
            cert, key = (path.read_bytes() for path in self._files)
            held = _hold(cert), _hold(key)
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*held, password=_no_password)
            ends = x509.load_pem_x509_certificate(cert).not_valid_after_utc
        except (OSError, ValueError) as fault:  # an SSLError is an OSError
            names = " and ".join(map(str, self._files))
            raise HubError(Kind.CONFIG_INVALID, f"tls_cert and tls_key, {names}: {fault}") from fault
        self._tally.put(EXPIRES, int(ends.timestamp()))
        return held


def _hold(content: bytes) -> str:
    file = os.memfd_create("certificate")
    with open(file, "wb", closefd=False) as copy:
        copy.write(content)
    return f"/proc/self/fd/{file}"


def _no_password() -> str:
    raise ValueError("the key is encrypted; a server cannot ask for its password")
