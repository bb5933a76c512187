"""People, keys and projects as an account's administrator sees them: every statement is bound to the account."""

from typing import NamedTuple

from entrepot.store.db import Rows


class Member(NamedTuple):
    """A person of an account."""

    id: int
    user_name: str
    email: str
    name: str
    is_main: int
    is_active: int
    may_log_in: int
    created_at: int
    rights: str
    has_keys: int


_MEMBER = (
    "SELECT p.id, p.user_name, p.email, p.name, p.is_main, p.is_active, p.may_log_in, p.created_at, p.rights,"
    " EXISTS (SELECT 1 FROM access_key k WHERE k.person_id = p.id AND k.is_active = 1)"
    " FROM person p WHERE p.account_id = :account"
)


def find(rows: Rows, account_id: int, user_name: str) -> Member | None:
    """The member with this user name."""
    row = rows.one(f"{_MEMBER} AND p.user_name = :name", account=account_id, name=user_name)
    return Member(*row) if row else None


def page(rows: Rows, account_id: int, limit: int, offset: int) -> tuple[int, list[Member]]:
    """(how many, one page by user name)."""
    total = rows.one("SELECT COUNT(*) FROM person WHERE account_id = :account", account=account_id)
    found = rows.all(
        f"{_MEMBER} ORDER BY p.user_name LIMIT :limit OFFSET :offset", account=account_id, limit=limit, offset=offset
    )
    return (int(total[0]) if total else 0), [Member(*row) for row in found]


def describe(rows: Rows, person_id: int, *, user_name: str, name: str, may_log_in: bool) -> bool:
    """Set names; False when the user name is taken in the account."""
    taken = rows.one(
        "SELECT 1 FROM person p JOIN person me ON me.id = :id"
        " WHERE p.account_id = me.account_id AND p.user_name = :user AND p.id <> :id",
        id=person_id,
        user=user_name,
    )
    if taken is not None:
        return False
    rows.run(
        "UPDATE person SET user_name = :user, name = :name, may_log_in = :log_in WHERE id = :id",
        user=user_name,
        name=name,
        log_in=int(may_log_in),
        id=person_id,
    )
    return True


def set_rights(rows: Rows, person_id: int, rights: str) -> None:
    """What the person may do in its account."""
    rows.run("UPDATE person SET rights = :rights WHERE id = :id", rights=rights, id=person_id)


def delete(rows: Rows, person_id: int) -> None:
    """A person with its keys; the janitor ends its unfinished uploads."""
    rows.run("DELETE FROM access_key WHERE person_id = :id", id=person_id)
    rows.run("DELETE FROM session_key WHERE person_id = :id", id=person_id)
    rows.run("DELETE FROM attachment WHERE holder = :holder", holder=f"user {person_id}")
    rows.run("DELETE FROM person WHERE id = :id", id=person_id)


class Key(NamedTuple):
    """A key without its secret."""

    public_key: str
    person_id: int
    is_active: int
    description: str
    created_at: int
    updated_at: int
    is_of_main: int


_KEY = (
    "SELECT k.public_key, k.person_id, k.is_active, k.description, k.created_at, k.updated_at, p.is_main"
    " FROM access_key k JOIN person p ON p.id = k.person_id WHERE p.account_id = :account"
)


def keys(rows: Rows, account_id: int, person_id: int) -> list[Key]:
    """The keys of a member."""
    found = rows.all(f"{_KEY} AND p.id = :id ORDER BY k.created_at, k.public_key", account=account_id, id=person_id)
    return [Key(*row) for row in found]


def find_key(rows: Rows, account_id: int, public_key: str) -> Key | None:
    """A key inside the account."""
    row = rows.one(f"{_KEY} AND k.public_key = :key", account=account_id, key=public_key)
    return Key(*row) if row else None


def update_key(rows: Rows, public_key: str, *, is_active: bool, description: str, now: int) -> None:
    """Switch a key on or off, describe it."""
    rows.run(
        "UPDATE access_key SET is_active = :active, description = :description, updated_at = :now"
        " WHERE public_key = :key",
        active=int(is_active),
        description=description,
        now=now,
        key=public_key,
    )


def add_project(rows: Rows, account_id: int, project_id: str, name: str, now: int) -> None:
    """A project beside the default one."""
    rows.run(
        "INSERT INTO project (id, account_id, name, is_default, created_at) VALUES (:id, :account, :name, 0, :now)",
        id=project_id,
        account=account_id,
        name=name,
        now=now,
    )


def project(rows: Rows, account_id: int, project_id: str) -> tuple[bool, bool] | None:
    """(is the default, holds buckets) of a project of the account; None for others."""
    row = rows.one(
        "SELECT is_default, EXISTS (SELECT 1 FROM bucket b WHERE b.project_id = p.id)"
        " FROM project p WHERE p.id = :id AND p.account_id = :account",
        id=project_id,
        account=account_id,
    )
    return (bool(row[0]), bool(row[1])) if row else None


def rename_project(rows: Rows, project_id: str, name: str) -> None:
    """Its name is for people; nothing hangs on it."""
    rows.run("UPDATE project SET name = :name WHERE id = :id", name=name, id=project_id)


def delete_project(rows: Rows, project_id: str) -> None:
    """An empty project, with the counts of what it held."""
    rows.run("DELETE FROM bucket_count WHERE scope = :scope", scope=f"project {project_id}")
    rows.run("DELETE FROM quota WHERE scope = :scope", scope=f"project {project_id}")
    rows.run("DELETE FROM attachment WHERE project_id = :id", id=project_id)
    rows.run("DELETE FROM project WHERE id = :id", id=project_id)
