"""Who is signed in at the console."""

from typing import NamedTuple

from entrepot.store.db import Rows
from entrepot.store.sql import people
from entrepot.store.sql.people import Person


class Session(NamedTuple):
    """A sign-in that is not over, and whose it is. ``project_id`` is the account's default project."""

    person: Person
    user_name: str
    project_id: str
    basis: str
    created_at: int
    seen_at: int


def add(rows: Rows, digest: str, person_id: int, basis: str, now: int) -> None:
    """A new session under the digest of its cookie."""
    rows.run(
        "INSERT INTO console_session (digest, person_id, basis, created_at, seen_at)"
        " VALUES (:digest, :person, :basis, :now, :now)",
        digest=digest,
        person=person_id,
        basis=basis,
        now=now,
    )


def find(rows: Rows, digest: str) -> Session | None:
    """A session with its person, in one statement; whether it still holds is for the caller to judge."""
    row = rows.one(
        f"SELECT {people.COLUMNS}, p.user_name,"
        " (SELECT o.id FROM project o WHERE o.account_id = p.account_id ORDER BY o.is_default DESC, o.id LIMIT 1),"
        " s.basis, s.created_at, s.seen_at"
        " FROM console_session s JOIN person p ON p.id = s.person_id JOIN account a ON a.id = p.account_id"
        " WHERE s.digest = :digest",
        digest=digest,
    )
    return Session(Person(*row[:-5]), *row[-5:]) if row else None


def see(rows: Rows, digest: str, now: int) -> None:
    """The session was used."""
    rows.run("UPDATE console_session SET seen_at = :now WHERE digest = :digest", now=now, digest=digest)


def end(rows: Rows, digest: str) -> None:
    """The session is over."""
    rows.run("DELETE FROM console_session WHERE digest = :digest", digest=digest)


def forget(rows: Rows, unseen_since: int, limit: int) -> int:
    """Delete at most ``limit`` sessions that were not used since a time; how many."""
    return rows.run(
        "DELETE FROM console_session WHERE digest IN"
        " (SELECT digest FROM console_session WHERE seen_at < :since ORDER BY seen_at LIMIT :limit)",
        since=unseen_since,
        limit=limit,
    )


def keep_newest(rows: Rows, person_id: int, digest: str, most: int) -> None:
    """End the oldest sessions of somebody, so that this one and at most ``most - 1`` others are left."""
    rows.run(
        "DELETE FROM console_session WHERE person_id = :person AND digest <> :digest AND digest NOT IN"
        " (SELECT digest FROM console_session WHERE person_id = :person AND digest <> :digest"
        " ORDER BY created_at DESC LIMIT :others)",
        person=person_id,
        digest=digest,
        others=most - 1,
    )
