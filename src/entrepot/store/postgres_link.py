"""Connections to the PostgreSQL server of ``database_url``: the hub's session settings, and its advisory locks.

A connection that a server, a proxy or a network lost is found out within seconds. What is asked
over one lives elsewhere.
"""

import hashlib
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from entrepot.errors import HubError, Kind
from entrepot.store.postgres_faults import shown
from entrepot.store.postgres_rows import adapt

BUSY_SECONDS = 30
CONNECT_SECONDS = 5
_DEFAULTS: dict[str, Any] = {
    "application_name": "entrepot",
    "connect_timeout": CONNECT_SECONDS,
    "target_session_attrs": "read-write",  # of several hosts the one that takes writes, also after a failover
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
# The server, too, must find out within seconds that a node is gone without a word, as by a cut cable or a lost machine:
# its session holds locks that other nodes wait for (its own default is two hours). A node that froze inside a
# transaction loses it before those give up. A server whose default would answer a write before it is on disk is told
# otherwise.
_SESSION = f"""
SET client_encoding = 'UTF8'; SET jit = off; SET TIME ZONE 'UTC';
SET lock_timeout = '{BUSY_SECONDS}s';
SET idle_in_transaction_session_timeout = '{BUSY_SECONDS // 2}s';
SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 3; SET tcp_keepalives_count = 3;
SET tcp_user_timeout = '15s';
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
"""


def conninfo(url: str) -> str:
    """The URL with the hub's defaults for what it does not say. Raises CONFIG_INVALID."""
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError as fault:
        raise HubError(Kind.CONFIG_INVALID, f"database_url: {shown(str(fault)).strip()}") from None
    return make_conninfo(**{**_DEFAULTS, **given})


def connect(info: str) -> Connection[Any]:
    """A connection in autocommit mode with the hub's settings. Raises what psycopg does."""
    connection = psycopg.connect(info, autocommit=True, prepare_threshold=1_000_000)
    connection.prepared_max = 500
    adapt(connection.adapters)
    connection.execute(_SESSION)
    return connection


def lock_key(connection: Connection[Any], name: str) -> int:
    """The number of an advisory lock, one for each name and schema: hubs that share a database do not meet."""
    row = connection.execute("SELECT current_schema()").fetchone()
    text = f"entrepot/{row[0] if row else ''}/{name}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)
