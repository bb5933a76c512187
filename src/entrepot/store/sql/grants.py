"""Buckets that other accounts may use. Name, region and visibility are kept with the grant, so lists need no join."""

from typing import NamedTuple

from entrepot.store.db import Rows
from entrepot.store.sql.buckets import Bucket, count_in


class Grant(NamedTuple):
    """A grant on a bucket."""

    account_id: int
    may_write: int
    created_at: int


def find(rows: Rows, bucket_id: int, account_id: int) -> int | None:
    """Whether the account may write (1) or only read (0); None without a grant."""
    row = rows.one(
        "SELECT may_write FROM bucket_grant WHERE bucket_id = :bucket AND account_id = :account",
        bucket=bucket_id,
        account=account_id,
    )
    return int(row[0]) if row else None


def of_bucket(rows: Rows, bucket_id: int) -> list[Grant]:
    """Every grant on a bucket, by account."""
    return [
        Grant(*row)
        for row in rows.all(
            "SELECT account_id, may_write, created_at FROM bucket_grant WHERE bucket_id = :bucket ORDER BY account_id",
            bucket=bucket_id,
        )
    ]


def put(rows: Rows, bucket: Bucket, account_id: int, *, may_write: bool, now: int) -> None:
    """Grant a bucket to an account, or change what was granted."""
    known = find(rows, bucket.id, account_id)
    rows.run(
        "INSERT INTO bucket_grant (bucket_id, account_id, may_write, name, region, is_public, created_at)"
        " VALUES (:bucket, :account, :write, :name, :region, :public, :now)"
        " ON CONFLICT (bucket_id, account_id) DO UPDATE SET may_write = excluded.may_write",
        bucket=bucket.id,
        account=account_id,
        write=int(may_write),
        name=bucket.name,
        region=bucket.region,
        public=bucket.is_public,
        now=now,
    )
    if known is None:
        count_in(rows, [f"granted {account_id}"], bucket.region, is_public=bool(bucket.is_public), step=1)


def remove(rows: Rows, bucket: Bucket, account_id: int) -> bool:
    """Take a grant back; whether there was one."""
    taken = rows.run(
        "DELETE FROM bucket_grant WHERE bucket_id = :bucket AND account_id = :account",
        bucket=bucket.id,
        account=account_id,
    )
    if taken:
        count_in(rows, [f"granted {account_id}"], bucket.region, is_public=bool(bucket.is_public), step=-1)
    return taken == 1


def share(rows: Rows, bucket: Bucket, *, is_public: bool) -> None:
    """The bucket changes its visibility: so do its grants and their counts."""
    for grant in of_bucket(rows, bucket.id):
        scope = [f"granted {grant.account_id}"]
        count_in(rows, scope, bucket.region, is_public=is_public, step=1)
        count_in(rows, scope, bucket.region, is_public=not is_public, step=-1)
    rows.run(
        "UPDATE bucket_grant SET is_public = :public WHERE bucket_id = :bucket", public=int(is_public), bucket=bucket.id
    )


def account_exists(rows: Rows, account_id: int) -> bool:
    """Whether there is such an account."""
    return rows.one("SELECT 1 FROM account WHERE id = :id", id=account_id) is not None
