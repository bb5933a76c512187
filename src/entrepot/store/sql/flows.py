"""Namespaces of workflows, workflows and their versions."""

from typing import NamedTuple

from entrepot.store.db import Rows
from entrepot.store.sql import triggers


class Namespace(NamedTuple):
    """A row of ``flow_namespace``."""

    id: str
    account_id: int
    project_id: str
    name: str
    remark: str
    created_at: int


class Workflow(NamedTuple):
    """A row of ``workflow``."""

    id: str
    namespace_id: str
    name: str
    newest: int
    published: int
    token_hash: str
    created_at: int
    updated_at: int


class Version(NamedTuple):
    """A row of ``workflow_version``."""

    workflow_id: str
    version: int
    template: str
    person_id: int
    created_at: int


_NAMESPACE = f"SELECT {', '.join(Namespace._fields)} FROM flow_namespace"
_WORKFLOW = f"SELECT {', '.join(Workflow._fields)} FROM workflow"
_VERSION = f"SELECT {', '.join(Version._fields)} FROM workflow_version"


def add_namespace(rows: Rows, namespace: Namespace) -> None:
    """A new namespace; its id is free."""
    rows.run(
        f"INSERT INTO flow_namespace ({', '.join(Namespace._fields)})"
        " VALUES (:id, :account_id, :project_id, :name, :remark, :created_at)",
        **namespace._asdict(),
    )


def namespace(rows: Rows, account_id: int, namespace_id: str) -> Namespace | None:
    """A namespace of an account."""
    row = rows.one(f"{_NAMESPACE} WHERE id = :id AND account_id = :account", id=namespace_id, account=account_id)
    return Namespace(*row) if row else None


def namespaces(rows: Rows, account_id: int, project_id: str | None, offset: int, limit: int) -> list[Namespace]:
    """Namespaces of an account, or of one of its projects, by id."""
    only = "" if project_id is None else " AND project_id = :project"
    found = rows.all(
        f"{_NAMESPACE} WHERE account_id = :account{only} ORDER BY id LIMIT :limit OFFSET :offset",
        account=account_id,
        limit=limit,
        offset=offset,
        **({} if project_id is None else {"project": project_id}),
    )
    return [Namespace(*row) for row in found]


def count_namespaces(rows: Rows, project_id: str) -> int:
    """How many a project has."""
    row = rows.one("SELECT COUNT(*) FROM flow_namespace WHERE project_id = :project", project=project_id)
    return int(row[0]) if row else 0


def set_remark(rows: Rows, namespace_id: str, remark: str) -> None:
    """Change a namespace's remark."""
    rows.run("UPDATE flow_namespace SET remark = :remark WHERE id = :id", remark=remark, id=namespace_id)


def delete_namespace(rows: Rows, namespace_id: str) -> None:
    """Delete an empty namespace with its globals and keys."""
    rows.run("DELETE FROM flow_global WHERE namespace_id = :id", id=namespace_id)
    rows.run("DELETE FROM flow_credential WHERE namespace_id = :id", id=namespace_id)
    rows.run("DELETE FROM flow_namespace WHERE id = :id", id=namespace_id)


def globals_of(rows: Rows, namespace_id: str) -> dict[str, str]:
    """Names and JSON values."""
    found = rows.all(
        "SELECT name, value FROM flow_global WHERE namespace_id = :id ORDER BY name LIMIT 1000", id=namespace_id
    )
    return {row[0]: row[1] for row in found}


def set_globals(rows: Rows, namespace_id: str, values: dict[str, str]) -> None:
    """Replace them all."""
    rows.run("DELETE FROM flow_global WHERE namespace_id = :id", id=namespace_id)
    rows.run_many(
        "INSERT INTO flow_global (namespace_id, name, value) VALUES (:id, :name, :value)",
        [{"id": namespace_id, "name": name, "value": value} for name, value in values.items()],
    )


def credentials(rows: Rows, namespace_id: str) -> list[tuple[str, str, str]]:
    """(origin, public key, sealed private key)."""
    return [
        (row[0], row[1], row[2])
        for row in rows.all(
            "SELECT origin, public_key, private_key FROM flow_credential WHERE namespace_id = :id"
            " ORDER BY origin LIMIT 100",
            id=namespace_id,
        )
    ]


def set_credential(rows: Rows, namespace_id: str, origin: str, public_key: str, sealed: str) -> None:
    """Keep keys for an endpoint, in place of older ones."""
    rows.run(
        "INSERT INTO flow_credential (namespace_id, origin, public_key, private_key)"
        " VALUES (:id, :origin, :key, :sealed)"
        " ON CONFLICT (namespace_id, origin) DO UPDATE SET public_key = :key, private_key = :sealed",
        id=namespace_id,
        origin=origin,
        key=public_key,
        sealed=sealed,
    )


def delete_credential(rows: Rows, namespace_id: str, origin: str) -> bool:
    """Whether there was one."""
    return (
        rows.run(
            "DELETE FROM flow_credential WHERE namespace_id = :id AND origin = :origin", id=namespace_id, origin=origin
        )
        == 1
    )


def workflow(rows: Rows, workflow_id: str) -> Workflow | None:
    """A workflow of any account."""
    row = rows.one(f"{_WORKFLOW} WHERE id = :id", id=workflow_id)
    return Workflow(*row) if row else None


def workflows(rows: Rows, namespace_id: str, offset: int, limit: int) -> list[Workflow]:
    """Those of a namespace by id."""
    found = rows.all(
        f"{_WORKFLOW} WHERE namespace_id = :id ORDER BY id LIMIT :limit OFFSET :offset",
        id=namespace_id,
        limit=limit,
        offset=offset,
    )
    return [Workflow(*row) for row in found]


def count_workflows(rows: Rows, namespace_id: str) -> int:
    """How many a namespace holds."""
    row = rows.one("SELECT COUNT(*) FROM workflow WHERE namespace_id = :id", id=namespace_id)
    return int(row[0]) if row else 0


def add_version(rows: Rows, namespace_id: str, name: str, template: str, person_id: int, now: int) -> int:
    """A new version of a workflow, which is made where there is none; the version's number."""
    workflow_id = f"{namespace_id}.{name}"
    row = rows.one(
        "INSERT INTO workflow (id, namespace_id, name, newest, published, token_hash, created_at, updated_at)"
        " VALUES (:id, :namespace, :name, 1, 0, '', :now, :now)"
        " ON CONFLICT (id) DO UPDATE SET newest = workflow.newest + 1, updated_at = :now RETURNING newest",
        id=workflow_id,
        namespace=namespace_id,
        name=name,
        now=now,
    )
    assert row is not None
    rows.run(
        "INSERT INTO workflow_version (workflow_id, version, template, person_id, created_at)"
        " VALUES (:id, :version, :template, :person, :now)",
        id=workflow_id,
        version=row[0],
        template=template,
        person=person_id,
        now=now,
    )
    return int(row[0])


def version(rows: Rows, workflow_id: str, number: int) -> Version | None:
    """One version."""
    row = rows.one(f"{_VERSION} WHERE workflow_id = :id AND version = :number", id=workflow_id, number=number)
    return Version(*row) if row else None


def versions(rows: Rows, workflow_id: str, before: int, limit: int) -> list[tuple[int, int, str]]:
    """(number, time made, who saved it), newest first, below a number."""
    return [
        (row[0], row[1], row[2])
        for row in rows.all(
            "SELECT v.version, v.created_at, COALESCE(p.email, '') FROM workflow_version v"
            " LEFT JOIN person p ON p.id = v.person_id"
            " WHERE v.workflow_id = :id AND v.version < :before ORDER BY v.version DESC LIMIT :limit",
            id=workflow_id,
            before=before,
            limit=limit,
        )
    ]


def publish(rows: Rows, workflow_id: str, number: int, now: int) -> None:
    """Make a version the one that is run by default."""
    rows.run(
        "UPDATE workflow SET published = :number, updated_at = :now WHERE id = :id",
        number=number,
        now=now,
        id=workflow_id,
    )


def set_token(rows: Rows, workflow_id: str, token_hash: str, now: int) -> None:
    """The hash of the token of its URL; "" for none."""
    rows.run(
        "UPDATE workflow SET token_hash = :hash, updated_at = :now WHERE id = :id",
        hash=token_hash,
        now=now,
        id=workflow_id,
    )


def delete_workflow(rows: Rows, workflow_id: str) -> None:
    """Delete a workflow whose runs have ended, with its triggers, versions and runs."""
    triggers.delete_of_workflow(rows, workflow_id)
    rows.run("DELETE FROM workflow_instance WHERE workflow_id = :id", id=workflow_id)
    rows.run("DELETE FROM workflow_version WHERE workflow_id = :id", id=workflow_id)
    rows.run("DELETE FROM workflow WHERE id = :id", id=workflow_id)
