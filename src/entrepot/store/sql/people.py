"""Accounts, people, keys, projects: one statement and one function each."""

from typing import NamedTuple

from entrepot.store.db import Rows


class Person(NamedTuple):
    """A row of ``person``."""

    id: int
    account_id: int
    email: str
    is_main: int
    is_active: int
    rights: str
    password_hash: str
    registry_password_hash: str | None
    created_at: int
    may_log_in: int
    login_networks: str
    api_networks: str


COLUMNS = (
    "p.id, p.account_id, p.email, p.is_main, p.is_active, p.rights, p.password_hash, p.registry_password_hash,"
    " p.created_at, p.may_log_in, a.login_networks, a.api_networks"
)
"""The columns of a Person, of the tables ``person p`` and ``account a``."""
_PERSON = f"SELECT {COLUMNS} FROM person p JOIN account a ON a.id = p.account_id"


def by_email(rows: Rows, email: str) -> Person | None:
    """The person with this e-mail."""
    row = rows.one(f"{_PERSON} WHERE p.email = :email", email=email)
    return Person(*row) if row else None


def by_id(rows: Rows, person_id: int) -> Person | None:
    """The person with this id."""
    row = rows.one(f"{_PERSON} WHERE p.id = :id", id=person_id)
    return Person(*row) if row else None


def first_main(rows: Rows) -> Person | None:
    """The main user of the first account: the operator on the spot."""
    row = rows.one(f"{_PERSON} WHERE p.is_main = 1 ORDER BY p.id LIMIT 1")
    return Person(*row) if row else None


def everyone(rows: Rows) -> list[Person]:
    """All people, oldest first."""
    return [Person(*row) for row in rows.all(f"{_PERSON} ORDER BY p.id")]


def by_key(rows: Rows, public_key: str) -> tuple[Person, str] | None:
    """The person an active key belongs to, and the sealed private key."""
    row = rows.one(
        f"SELECT {COLUMNS}, k.private_key"
        " FROM access_key k JOIN person p ON p.id = k.person_id JOIN account a ON a.id = p.account_id"
        " WHERE k.public_key = :key AND k.is_active = 1",
        key=public_key,
    )
    return (Person(*row[:-1]), row[-1]) if row else None


def add_account(rows: Rows, name: str, project_id: str, now: int) -> int:
    """A new account with its default project; the account's id."""
    row = rows.one("INSERT INTO account (name, created_at) VALUES (:name, :now) RETURNING id", name=name, now=now)
    assert row is not None
    rows.run(
        "INSERT INTO project (id, account_id, name, is_default, created_at) VALUES (:id, :account, 'Default', 1, :now)",
        id=project_id,
        account=row[0],
        now=now,
    )
    return int(row[0])


def add_person(
    rows: Rows, *, account_id: int, email: str, is_main: bool, rights: str, password_hash: str, now: int
) -> int | None:
    """A new person's id; None when the e-mail is taken."""
    row = rows.one(
        "INSERT INTO person (account_id, email, name, user_name, is_main, is_active, rights, password_hash, created_at)"
        " VALUES (:account, :email, :email, :email, :main, 1, :rights, :hash, :now)"
        " ON CONFLICT (email) DO NOTHING RETURNING id",
        account=account_id,
        email=email,
        main=int(is_main),
        rights=rights,
        hash=password_hash,
        now=now,
    )
    return int(row[0]) if row else None


def add_key(rows: Rows, public_key: str, sealed: str, person_id: int, now: int) -> None:
    """A new active key."""
    rows.run(
        "INSERT INTO access_key (public_key, person_id, private_key, is_active, created_at, updated_at)"
        " VALUES (:key, :person, :sealed, 1, :now, :now)",
        key=public_key,
        person=person_id,
        sealed=sealed,
        now=now,
    )


def keys_of(rows: Rows, person_id: int) -> list[tuple[str, int, int]]:
    """Public key, active or not, time made; of one person."""
    return [
        (row[0], row[1], row[2])
        for row in rows.all(
            "SELECT public_key, is_active, created_at FROM access_key WHERE person_id = :id"
            " ORDER BY created_at, public_key",
            id=person_id,
        )
    ]


def delete_key(rows: Rows, public_key: str) -> bool:
    """Whether there was one."""
    return rows.run("DELETE FROM access_key WHERE public_key = :key", key=public_key) == 1


def set_password(rows: Rows, person_id: int, password_hash: str) -> None:
    """The console password."""
    rows.run("UPDATE person SET password_hash = :hash WHERE id = :id", hash=password_hash, id=person_id)


def set_registry_password(rows: Rows, person_id: int, password_hash: str) -> None:
    """The independent registry password; it works beside the console password."""
    rows.run("UPDATE person SET registry_password_hash = :hash WHERE id = :id", hash=password_hash, id=person_id)


def set_active(rows: Rows, person_id: int, *, is_active: bool) -> None:
    """Disable or enable a person and, with it, every key and password of theirs."""
    rows.run("UPDATE person SET is_active = :active WHERE id = :id", active=int(is_active), id=person_id)


def default_project(rows: Rows, account_id: int) -> str | None:
    """The default project's id of an account."""
    row = rows.one(
        "SELECT id FROM project WHERE account_id = :account ORDER BY is_default DESC, id LIMIT 1", account=account_id
    )
    return row[0] if row else None


def has_project(rows: Rows, account_id: int, project_id: str) -> bool:
    """Whether the project is the account's."""
    return (
        rows.one("SELECT 1 FROM project WHERE id = :id AND account_id = :account", id=project_id, account=account_id)
        is not None
    )


def project_exists(rows: Rows, project_id: str) -> bool:
    """Whether any account has the project."""
    return rows.one("SELECT 1 FROM project WHERE id = :id", id=project_id) is not None


def networks(rows: Rows, account_id: int) -> tuple[str, str]:
    """From where the account's people may log in, and from where they may call the API; "" for anywhere."""
    row = rows.one("SELECT login_networks, api_networks FROM account WHERE id = :id", id=account_id)
    assert row is not None
    return row[0], row[1]


def set_networks(rows: Rows, account_id: int, *, login: str, api: str) -> None:
    """See ``networks``."""
    rows.run(
        "UPDATE account SET login_networks = :login, api_networks = :api WHERE id = :id",
        login=login,
        api=api,
        id=account_id,
    )


def user_name(rows: Rows, person_id: int) -> str:
    """The person's name inside its account."""
    row = rows.one("SELECT user_name FROM person WHERE id = :id", id=person_id)
    return str(row[0]) if row else ""
