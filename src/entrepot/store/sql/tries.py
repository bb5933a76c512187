"""Tries at logins: each row says when all tries of one mark are free again, and each try puts that off."""

from entrepot.store.db import Rows, single

_FREE_AT = "SELECT free_at FROM login_try WHERE mark = :mark"
_TAKE = """
INSERT INTO login_try (mark, free_at)
VALUES (:mark, :now + :seconds)
ON CONFLICT (mark) DO UPDATE
SET free_at = CASE WHEN login_try.free_at > :now THEN login_try.free_at ELSE :now END + :seconds
"""
_GIVE_BACK = "UPDATE login_try SET free_at = free_at - :seconds WHERE mark = :mark"
_FORGET = """
DELETE FROM login_try
WHERE mark IN (SELECT mark FROM login_try WHERE free_at <= :now ORDER BY free_at LIMIT 2)
"""


@single
def free_at(rows: Rows, mark: str) -> int:
    """When all tries are free; 0 where none was used."""
    row = rows.one(_FREE_AT, mark=mark)
    return int(row[0]) if row else 0


def take(rows: Rows, mark: str, seconds: int, now: int) -> None:
    """Use up a try, which is free again ``seconds`` later. For a row that comes two old ones go."""
    rows.run(_FORGET, now=now)
    rows.run(_TAKE, mark=mark, seconds=seconds, now=now)


def give_back(rows: Rows, mark: str, seconds: int) -> None:
    """A try was none."""
    rows.run(_GIVE_BACK, mark=mark, seconds=seconds)


def forget_all(rows: Rows) -> None:
    """All tries are free again."""
    rows.run("DELETE FROM login_try")
