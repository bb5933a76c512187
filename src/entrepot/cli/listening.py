"""What both servers of granian are told: where to listen, how, and with which certificate.

SIGTERM, SIGINT   /readyz says 503 for drain_seconds, while everything is still served; a second one ends this pause
then              nothing new is accepted; what runs has stop_seconds to finish
then              the hub is closed and the process ends
SIGHUP            a renewed certificate is taken at once; what runs goes on under the old one
"""

import logging
from typing import Any

import structlog
from granian.constants import Interfaces, SSLProtocols
from granian.http import HTTP1Settings

from entrepot.cli.certificate import Certificate
from entrepot.config import Settings
from entrepot.tally import Tally

log = structlog.get_logger("server")
OVERLAP_SECONDS = 3.0
"""How long old and new listen together when a certificate was renewed: the time that the new one has to begin."""


def options(settings: Settings) -> dict[str, Any]:
    """Arguments of a server."""
    logging.getLogger("_granian").addFilter(lambda record: "experimental" not in record.getMessage())
    return {
        "address": settings.host,
        "port": settings.port,
        "interface": Interfaces.ASGI,
        "log_level": "warning",
        "backlog": 1024 * settings.workers,
        "websockets": False,
        "http1_settings": HTTP1Settings(header_read_timeout=30_000),
    }


def show(server: Any, certificate: Certificate | None) -> None:
    """Let a server that has not begun speak TLS with this certificate."""
    if certificate is not None:
        # The constructor would take paths as well, but follow them, and what is checked and held has no other name.
        server.ssl_ctx = (True, *certificate.held, None, str(SSLProtocols.tls12), None, [], False)


def certificate_of(settings: Settings, tally: Tally) -> Certificate | None:
    """The certificate to serve with; None for plain HTTP. Raises CONFIG_INVALID."""
    return Certificate(settings.tls_cert, settings.tls_key, tally) if settings.tls_cert else None
