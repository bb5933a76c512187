"""The audit trail as rows."""

from typing import NamedTuple

from entrepot.store.db import Rows


class Entry(NamedTuple):
    """One line of the trail; ``ret_code`` 0 is success."""

    at: int
    account_id: int
    who: str
    action: str
    target: str
    address: str
    ret_code: int


def add(rows: Rows, entry: Entry) -> None:
    """Append a line."""
    rows.run(
        "INSERT INTO audit (at, account_id, who, action, target, address, ret_code)"
        " VALUES (:at, :account_id, :who, :action, :target, :address, :ret_code)",
        **entry._asdict(),
    )


def page(rows: Rows, account_id: int, before: int, limit: int) -> list[tuple[int, Entry]]:
    """(id, line) of an account, newest first, before an id."""
    found = rows.all(
        "SELECT id, at, account_id, who, action, target, address, ret_code FROM audit"
        " WHERE account_id = :account AND id < :before ORDER BY id DESC LIMIT :limit",
        account=account_id,
        before=before,
        limit=limit,
    )
    return [(row[0], Entry(*row[1:])) for row in found]


def forget(rows: Rows, before: int, limit: int) -> int:
    """Delete at most ``limit`` lines older than a time; how many."""
    return rows.run(
        "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < :before ORDER BY at LIMIT :limit)",
        before=before,
        limit=limit,
    )
