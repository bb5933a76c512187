"""Policies, roles, what is attached to whom, and temporary keys. Every statement is bound to the account."""

from typing import NamedTuple

from entrepot.store.db import Rows


class Policy(NamedTuple):
    """A policy of an account."""

    name: str
    urn: str
    description: str
    document: str
    scope_type: str
    created_at: int
    updated_at: int


_POLICY = "SELECT name, urn, description, document, scope_type, created_at, updated_at FROM policy"


def add(rows: Rows, account_id: int, policy: Policy) -> bool:
    """Whether the name was free."""
    return (
        rows.run(
            "INSERT INTO policy (account_id, name, urn, description, document, scope_type, created_at, updated_at)"
            " VALUES (:account, :name, :urn, :description, :document, :scope_type, :created_at, :updated_at)"
            " ON CONFLICT DO NOTHING",
            account=account_id,
            **policy._asdict(),
        )
        == 1
    )


def find(rows: Rows, account_id: int, urn: str) -> Policy | None:
    """A policy of the account."""
    row = rows.one(f"{_POLICY} WHERE urn = :urn AND account_id = :account", urn=urn, account=account_id)
    return Policy(*row) if row else None


def page(rows: Rows, account_id: int, limit: int, offset: int) -> tuple[int, list[Policy]]:
    """(how many, one page by name)."""
    total = rows.one("SELECT COUNT(*) FROM policy WHERE account_id = :account", account=account_id)
    found = rows.all(
        f"{_POLICY} WHERE account_id = :account ORDER BY name LIMIT :limit OFFSET :offset",
        account=account_id,
        limit=limit,
        offset=offset,
    )
    return (int(total[0]) if total else 0), [Policy(*row) for row in found]


def update(rows: Rows, urn: str, *, document: str, description: str, now: int) -> None:
    """A new text; it holds for everybody who has it at once."""
    rows.run(
        "UPDATE policy SET document = :document, description = :description, updated_at = :now WHERE urn = :urn",
        document=document,
        description=description,
        now=now,
        urn=urn,
    )


def delete(rows: Rows, urn: str) -> None:
    """Forget a policy that nobody has."""
    rows.run("DELETE FROM policy WHERE urn = :urn", urn=urn)


class Attachment(NamedTuple):
    """A policy somebody has; ``document`` None: one that comes with the hub."""

    urn: str
    project_id: str
    attached_at: int
    document: str | None
    description: str
    project_name: str


_ATTACHED = (
    "SELECT a.urn, a.project_id, a.attached_at, p.document, COALESCE(p.description, ''), COALESCE(j.name, '')"
    " FROM attachment a LEFT JOIN policy p ON p.urn = a.urn LEFT JOIN project j ON j.id = a.project_id"
    " WHERE a.holder = :holder ORDER BY a.urn, a.project_id"
)


def attached(rows: Rows, holder: str) -> list[Attachment]:
    """What a user or role has."""
    return [Attachment(*row) for row in rows.all(_ATTACHED, holder=holder)]


def attach(rows: Rows, account_id: int, holder: str, urn: str, project_id: str, now: int) -> None:
    """Give a policy; no error when it is there."""
    rows.run(
        "INSERT INTO attachment (holder, urn, project_id, account_id, attached_at)"
        " VALUES (:holder, :urn, :project, :account, :now) ON CONFLICT DO NOTHING",
        holder=holder,
        urn=urn,
        project=project_id,
        account=account_id,
        now=now,
    )


def detach(rows: Rows, holder: str, urn: str, project_id: str) -> bool:
    """Whether it was there."""
    return (
        rows.run(
            "DELETE FROM attachment WHERE holder = :holder AND urn = :urn AND project_id = :project",
            holder=holder,
            urn=urn,
            project=project_id,
        )
        == 1
    )


class Entity(NamedTuple):
    """Somebody who has a policy."""

    kind: str
    name: str
    display_name: str
    project_id: str
    attached_at: int


def entities(rows: Rows, account_id: int, urn: str, limit: int, offset: int) -> tuple[int, list[Entity]]:
    """(how many, one page) of those in the account who have a policy."""
    total = rows.one(
        "SELECT COUNT(*) FROM attachment WHERE account_id = :account AND urn = :urn", account=account_id, urn=urn
    )
    found = rows.all(
        "SELECT CASE WHEN p.id IS NULL THEN 'Role' ELSE 'User' END, COALESCE(p.user_name, r.name, ''),"
        " COALESCE(p.name, r.name, ''), a.project_id, a.attached_at FROM attachment a"
        " LEFT JOIN person p ON a.holder = 'user ' || p.id AND p.account_id = a.account_id"
        " LEFT JOIN role r ON a.holder = 'role ' || r.id AND r.account_id = a.account_id"
        " WHERE a.account_id = :account AND a.urn = :urn ORDER BY a.holder, a.project_id LIMIT :limit OFFSET :offset",
        account=account_id,
        urn=urn,
        limit=limit,
        offset=offset,
    )
    return (int(total[0]) if total else 0), [Entity(*row) for row in found]


class Role(NamedTuple):
    """A role of an account."""

    id: int
    account_id: int
    name: str
    description: str
    trust: str
    session_seconds: int
    created_at: int
    updated_at: int


_ROLE = "SELECT id, account_id, name, description, trust, session_seconds, created_at, updated_at FROM role"


def add_role(
    rows: Rows, account_id: int, *, name: str, description: str, trust: str, session_seconds: int, now: int
) -> bool:
    """Whether the name was free."""
    return (
        rows.run(
            "INSERT INTO role (account_id, name, description, trust, session_seconds, created_at, updated_at)"
            " VALUES (:account, :name, :description, :trust, :seconds, :now, :now) ON CONFLICT DO NOTHING",
            account=account_id,
            name=name,
            description=description,
            trust=trust,
            seconds=session_seconds,
            now=now,
        )
        == 1
    )


def find_role(rows: Rows, account_id: int, name: str) -> Role | None:
    """A role of the account."""
    row = rows.one(f"{_ROLE} WHERE account_id = :account AND name = :name", account=account_id, name=name)
    return Role(*row) if row else None


def roles(rows: Rows, account_id: int, limit: int, offset: int) -> tuple[int, list[Role]]:
    """(how many, one page by name)."""
    total = rows.one("SELECT COUNT(*) FROM role WHERE account_id = :account", account=account_id)
    found = rows.all(
        f"{_ROLE} WHERE account_id = :account ORDER BY name LIMIT :limit OFFSET :offset",
        account=account_id,
        limit=limit,
        offset=offset,
    )
    return (int(total[0]) if total else 0), [Role(*row) for row in found]


def delete_role(rows: Rows, role_id: int) -> None:
    """A role with what it has and every temporary key of it."""
    rows.run("DELETE FROM session_key WHERE role_id = :id", id=role_id)
    rows.run("DELETE FROM attachment WHERE holder = :holder", holder=f"role {role_id}")
    rows.run("DELETE FROM role WHERE id = :id", id=role_id)


class Session(NamedTuple):
    """A temporary key."""

    public_key: str
    private_key: str
    token_digest: str
    person_id: int
    role_id: int
    name: str
    boundary: str
    expires_at: int


def add_session(rows: Rows, session: Session, now: int) -> None:
    """A new temporary key."""
    rows.run(
        "INSERT INTO session_key"
        " (public_key, private_key, token_digest, person_id, role_id, name, boundary, created_at, expires_at)"
        " VALUES (:public_key, :private_key, :token_digest, :person_id, :role_id, :name, :boundary, :now, :expires_at)",
        now=now,
        **session._asdict(),
    )


def live_sessions(rows: Rows, person_id: int, role_id: int, now: int) -> int:
    """How many temporary keys a person has of a role."""
    row = rows.one(
        "SELECT COUNT(*) FROM session_key WHERE person_id = :person AND role_id = :role AND expires_at > :now",
        person=person_id,
        role=role_id,
        now=now,
    )
    return int(row[0]) if row else 0


def find_session(rows: Rows, public_key: str) -> tuple[Session, Role] | None:
    """A temporary key and its role."""
    row = rows.one(
        "SELECT s.public_key, s.private_key, s.token_digest, s.person_id, s.role_id, s.name, s.boundary, s.expires_at,"
        " r.id, r.account_id, r.name, r.description, r.trust, r.session_seconds, r.created_at, r.updated_at"
        " FROM session_key s JOIN role r ON r.id = s.role_id WHERE s.public_key = :key",
        key=public_key,
    )
    return (Session(*row[:8]), Role(*row[8:])) if row else None


def forget_sessions(rows: Rows, before: int, limit: int) -> int:
    """Delete at most ``limit`` temporary keys that ended before a time; how many."""
    return rows.run(
        "DELETE FROM session_key WHERE public_key IN"
        " (SELECT public_key FROM session_key WHERE expires_at < :before ORDER BY expires_at LIMIT :limit)",
        before=before,
        limit=limit,
    )
