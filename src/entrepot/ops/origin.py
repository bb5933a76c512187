"""Where a request came from and under which URL the client sees the hub; proxies are believed only when configured."""

import re
from typing import Any

from entrepot.config import Settings
from entrepot.model import networks

_HOST = re.compile(r"[A-Za-z0-9.\-_\[\]:]{1,255}")


class Origin:
    """Base URL and client address of requests."""

    def __init__(self, settings: Settings) -> None:
        self._public = settings.public_url.rstrip("/")
        self._fallback = f"{settings.host}:{settings.port}"
        self._proxies = settings.trusted_proxies

    def of(self, scope: dict[str, Any], headers: dict[bytes, bytes]) -> tuple[str, str]:
        """(base URL without a slash at its end, client address)."""
        address: str = scope["client"][0] if scope.get("client") else ""
        scheme: str = scope.get("scheme", "http")
        if self._proxies and self._is_trusted(address):
            forwarded = headers.get(b"x-forwarded-for", b"").decode("latin-1")
            # The nearest hop that is not a proxy of ours: what stands left of it may be made up by the client.
            hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
            address = next((hop for hop in reversed(hops) if not self._is_trusted(hop)), address)
            scheme = "https" if headers.get(b"x-forwarded-proto") == b"https" else scheme
        if self._public:
            return self._public, address
        host = headers.get(b"host", b"").decode("latin-1")
        return f"{scheme}://{host if _HOST.fullmatch(host) else self._fallback}", address

    def _is_trusted(self, address: str) -> bool:
        return networks.contains(self._proxies, address)
