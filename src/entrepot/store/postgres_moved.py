"""The triggers of ``moved`` in a schema of PostgreSQL: one for each table, over one function.

For each row, as SQLite has them: a change that meets no row is none.
"""

from typing import Any

from psycopg import Connection, sql

from entrepot.store.db import Rows, single
from entrepot.store.moved import OPEN

STATE = "MV001"
"""The SQLSTATE that they raise; no server has one of this class itself."""
_NAME = "entrepot_moved"
_LOOK = (
    "SELECT 1 FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
    f" WHERE t.tgname = '{_NAME}' AND c.relnamespace = CAST(current_schema() AS regnamespace) LIMIT 1"
)
_FUNCTION = f"""
CREATE OR REPLACE FUNCTION {_NAME}() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'this hub has moved' USING ERRCODE = '{STATE}'; END $$
"""


@single
def is_there(rows: Rows) -> bool:
    """Whether changes are refused."""
    return rows.one(_LOOK) is not None


def refuses(connection: Connection[Any]) -> bool:
    """The same, asked in an open transaction."""
    return connection.execute(_LOOK).fetchone() is not None


def refuse(connection: Connection[Any]) -> None:
    """Refuse changes from the commit of the open transaction on; it must hold the writers' lock."""
    connection.execute(_FUNCTION)
    tables = connection.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
    ).fetchall()
    for table in sorted({name for (name,) in tables} - OPEN):
        connection.execute(
            sql.SQL(
                "CREATE OR REPLACE TRIGGER {} BEFORE INSERT OR UPDATE OR DELETE ON {}"
                " FOR EACH ROW EXECUTE FUNCTION {}()"
            ).format(sql.Identifier(_NAME), sql.Identifier(table), sql.Identifier(_NAME))
        )


def accept(connection: Connection[Any]) -> None:
    """Take changes again from the commit of the open transaction on."""
    connection.execute(f"DROP FUNCTION IF EXISTS {_NAME}() CASCADE")
