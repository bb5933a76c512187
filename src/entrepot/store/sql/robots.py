"""Robots as rows. ``bucket.robots`` lists the active ones; it is written with every change here, and nowhere else."""

from typing import NamedTuple

from entrepot.store.db import Rows


class RobotRow(NamedTuple):
    """A row of ``robot``; ``expires_at`` 0: never."""

    id: int
    bucket_id: int
    name: str
    rights: str
    secret_hash: str
    is_active: int
    generation: int
    expires_at: int
    created_at: int


class Account(NamedTuple):
    """What of its bucket's account a robot's login depends on."""

    id: int
    login_networks: str
    is_active: int


_COLUMNS = "r.id, r.bucket_id, r.name, r.rights, r.secret_hash, r.is_active, r.generation, r.expires_at, r.created_at"
_WIDTH = len(RobotRow._fields)


def by_login(rows: Rows, bucket: str, name: str) -> tuple[RobotRow, Account] | None:
    """A robot by its bucket's name and its own. An account is active while its main user is."""
    row = rows.one(
        f"SELECT {_COLUMNS}, a.id, a.login_networks,"
        " EXISTS (SELECT 1 FROM person p WHERE p.account_id = a.id AND p.is_main = 1 AND p.is_active = 1)"
        " FROM bucket b JOIN robot r ON r.bucket_id = b.id AND r.name = :name JOIN account a ON a.id = b.account_id"
        " WHERE b.name = :bucket",
        bucket=bucket,
        name=name,
    )
    return (RobotRow(*row[:_WIDTH]), Account(*row[_WIDTH:])) if row else None


def of_bucket(rows: Rows, bucket_id: int) -> list[RobotRow]:
    """The robots of a bucket by name."""
    found = rows.all(f"SELECT {_COLUMNS} FROM robot r WHERE r.bucket_id = :bucket ORDER BY r.name", bucket=bucket_id)
    return [RobotRow(*row) for row in found]


def find(rows: Rows, bucket_id: int, name: str) -> RobotRow | None:
    """A robot of a bucket."""
    row = rows.one(
        f"SELECT {_COLUMNS} FROM robot r WHERE r.bucket_id = :bucket AND r.name = :name", bucket=bucket_id, name=name
    )
    return RobotRow(*row) if row else None


def add(rows: Rows, *, bucket_id: int, name: str, rights: str, secret_hash: str, expires_at: int, now: int) -> bool:
    """A new active robot; False when the bucket has one of this name."""
    made = rows.run(
        "INSERT INTO robot (bucket_id, name, rights, secret_hash, is_active, generation, expires_at, created_at)"
        " VALUES (:bucket, :name, :rights, :hash, 1, 1, :expires, :now) ON CONFLICT (bucket_id, name) DO NOTHING",
        bucket=bucket_id,
        name=name,
        rights=rights,
        hash=secret_hash,
        expires=expires_at,
        now=now,
    )
    if made:
        _list(rows, bucket_id)
    return made == 1


def change(rows: Rows, robot: RobotRow, *, rights: str, is_active: bool, expires_at: int) -> None:
    """Set what may change; tokens that were issued before are no longer good."""
    rows.run(
        "UPDATE robot SET rights = :rights, is_active = :active, expires_at = :expires, generation = generation + 1"
        " WHERE id = :id",
        rights=rights,
        active=int(is_active),
        expires=expires_at,
        id=robot.id,
    )
    _list(rows, robot.bucket_id)


def delete(rows: Rows, robot: RobotRow) -> None:
    """Forget a robot for good."""
    rows.run("DELETE FROM robot WHERE id = :id", id=robot.id)
    _list(rows, robot.bucket_id)


def listed(rows: Rows, bucket_id: int) -> str:
    """The words of a bucket's active robots; "" without the bucket, and while it is deleted."""
    row = rows.one("SELECT robots FROM bucket WHERE id = :id AND account_id > 0", id=bucket_id)
    return str(row[0]) if row else ""


def _list(rows: Rows, bucket_id: int) -> None:
    words = [f"{one.id}.{one.generation}" for one in of_bucket(rows, bucket_id) if one.is_active]
    rows.run("UPDATE bucket SET robots = :words WHERE id = :id", words=" ".join(words), id=bucket_id)
