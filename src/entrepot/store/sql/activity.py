"""What an account holds altogether, and what was pushed and pulled on each day. Kept beside the hot path."""

from typing import NamedTuple

from entrepot.store.db import Rows

DAY = 86_400


class Totals(NamedTuple):
    """An account's buckets, the public ones among them, its images and bytes."""

    buckets: int
    public: int
    images: int
    bytes: int


def totals(rows: Rows, account_id: int) -> Totals:
    """Counts that are kept, and a sum over one index."""
    row = rows.one(
        "SELECT COALESCE((SELECT SUM(buckets) FROM bucket_count WHERE scope = 'account ' || :account), 0),"
        " COALESCE((SELECT SUM(buckets) FROM bucket_count WHERE scope = 'account ' || :account AND is_public = 1), 0),"
        " COALESCE((SELECT SUM(image_count) FROM bucket WHERE account_id = :account), 0),"
        " COALESCE((SELECT SUM(bytes) FROM project WHERE account_id = :account), 0)",
        account=account_id,
    )
    assert row is not None
    return Totals(*(int(one) for one in row))


def days(rows: Rows, account_id: int, since: int) -> dict[int, tuple[int, int]]:
    """(pushes, pulls) of the account's buckets by day; a day without any is not there."""
    found = rows.all(
        "SELECT day, pushes, pulls FROM activity_day WHERE account_id = :account AND day >= :since ORDER BY day",
        account=account_id,
        since=since,
    )
    return {row[0]: (row[1], row[2]) for row in found}


_ADD = (
    " ON CONFLICT (account_id, day) DO UPDATE SET"
    " pushes = activity_day.pushes + excluded.pushes, pulls = activity_day.pulls + excluded.pulls"
)


def add_pulls(rows: Rows, pulls: dict[int, int], now: int) -> None:
    """Count pulls by image id for the accounts that own the images; an image that is gone counts no more."""
    rows.run_many(
        "INSERT INTO activity_day (account_id, day, pushes, pulls)"
        " SELECT b.account_id, :day, 0, :count FROM image i JOIN bucket b ON b.id = i.bucket_id WHERE i.id = :id"
        + _ADD,
        [{"day": now - now % DAY, "count": count, "id": image_id} for image_id, count in pulls.items()],
    )


def add_pushes(rows: Rows, pushes: dict[int, int], now: int) -> None:
    """Count pushed manifests by account id."""
    rows.run_many(
        "INSERT INTO activity_day (account_id, day, pushes, pulls) VALUES (:account, :day, :count, 0)" + _ADD,
        [{"account": account_id, "day": now - now % DAY, "count": count} for account_id, count in pushes.items()],
    )


def forget(rows: Rows, before: int, limit: int) -> int:
    """Delete at most ``limit`` days before a time; how many."""
    return rows.run(
        "DELETE FROM activity_day WHERE (account_id, day) IN"
        " (SELECT account_id, day FROM activity_day WHERE day < :before LIMIT :limit)",
        before=before,
        limit=limit,
    )
