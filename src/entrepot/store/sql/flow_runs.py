"""Runs of workflows. Waiting and Cancelling are requests to the engine; a state that ends a run never changes."""

from typing import NamedTuple

from entrepot.store.db import Rows


class Instance(NamedTuple):
    """A row of ``workflow_instance``; ``input`` and ``output`` are JSON."""

    id: str
    workflow_id: str
    version: int
    cause: str
    who: str
    address: str
    host: str
    input: str
    state: str = "Waiting"
    output: str = ""
    fault: str = ""
    parent: str = ""
    depth: int = 0
    forked_from: str = ""
    from_step: int = 0
    created_at: int = 0
    ended_at: int = 0
    hops: int = 0


_COLUMNS = ", ".join(Instance._fields)
_OPEN = "('Waiting', 'Running', 'Cancelling')"


def add(rows: Rows, instance: Instance) -> None:
    """File a run; a second time nothing happens."""
    rows.run(
        f"INSERT INTO workflow_instance ({_COLUMNS}) VALUES ({', '.join(f':{name}' for name in Instance._fields)})"
        " ON CONFLICT (id) DO NOTHING",
        **instance._asdict(),
    )


def find(rows: Rows, instance_id: str) -> Instance | None:
    """A run of any account."""
    row = rows.one(f"SELECT {_COLUMNS} FROM workflow_instance WHERE id = :id", id=instance_id)
    return Instance(*row) if row else None


def page(rows: Rows, workflow_id: str, state: str | None, offset: int, limit: int) -> list[Instance]:
    """Runs of a workflow, newest first."""
    only = "" if state is None else " AND state = :state"
    found = rows.all(
        f"SELECT {_COLUMNS} FROM workflow_instance WHERE workflow_id = :id{only}"
        " ORDER BY created_at DESC, id DESC LIMIT :limit OFFSET :offset",
        id=workflow_id,
        limit=limit,
        offset=offset,
        **({} if state is None else {"state": state}),
    )
    return [Instance(*row) for row in found]


def newest(rows: Rows, workflow_ids: list[str]) -> dict[str, Instance]:
    """The newest run of each of some workflows (at most a page of them) that was ever run."""
    if not workflow_ids:
        return {}
    names = {f"w{place}": one for place, one in enumerate(workflow_ids)}
    found = rows.all(
        f"SELECT {_COLUMNS} FROM workflow_instance WHERE id IN (SELECT (SELECT i.id FROM workflow_instance i"
        " WHERE i.workflow_id = w.id ORDER BY i.created_at DESC, i.id DESC LIMIT 1) FROM workflow w"
        f" WHERE w.id IN ({', '.join(f':{name}' for name in names)}))",
        **names,
    )
    return {row[1]: Instance(*row) for row in found}


def in_state(rows: Rows, state: str, limit: int) -> list[Instance]:
    """Runs in a state, oldest first."""
    found = rows.all(
        f"SELECT {_COLUMNS} FROM workflow_instance WHERE state = :state ORDER BY created_at LIMIT :limit",
        state=state,
        limit=limit,
    )
    return [Instance(*row) for row in found]


def has_open(rows: Rows) -> bool:
    """Whether any run has not ended."""
    return rows.one(f"SELECT 1 FROM workflow_instance WHERE state IN {_OPEN} LIMIT 1") is not None


def count_open(rows: Rows, account_id: int) -> int:
    """How many runs of an account have not ended."""
    row = rows.one(
        "SELECT COUNT(*) FROM workflow_instance i JOIN workflow w ON w.id = i.workflow_id"
        f" JOIN flow_namespace n ON n.id = w.namespace_id WHERE i.state IN {_OPEN} AND n.account_id = :account",
        account=account_id,
    )
    return int(row[0]) if row else 0


def is_running(rows: Rows, workflow_id: str) -> bool:
    """Whether a run of a workflow has not ended."""
    return (
        rows.one(
            f"SELECT 1 FROM workflow_instance WHERE workflow_id = :id AND state IN {_OPEN} LIMIT 1", id=workflow_id
        )
        is not None
    )


def begin(rows: Rows, instance_id: str) -> None:
    """The engine has it."""
    rows.run("UPDATE workflow_instance SET state = 'Running' WHERE id = :id AND state = 'Waiting'", id=instance_id)


def ask_cancel(rows: Rows, instance_id: str) -> bool:
    """Ask the engine to stop a run and the runs that are its steps; whether it had not ended."""
    rows.run(
        "UPDATE workflow_instance SET state = 'Cancelling' WHERE parent = :id AND state IN ('Waiting', 'Running')",
        id=instance_id,
    )
    return (
        rows.run(
            f"UPDATE workflow_instance SET state = 'Cancelling' WHERE id = :id AND state IN {_OPEN}", id=instance_id
        )
        == 1
    )


def end(rows: Rows, instance_id: str, state: str, output: str, fault: str, now: int) -> None:
    """A run has ended; what ended already stays as it is."""
    rows.run(
        "UPDATE workflow_instance SET state = :state, output = :output, fault = :fault, ended_at = :now"
        f" WHERE id = :id AND state IN {_OPEN}",
        state=state,
        output=output,
        fault=fault,
        now=now,
        id=instance_id,
    )


def ended_before(rows: Rows, before: int, limit: int) -> list[str]:
    """Ids of runs that ended before a time."""
    return [
        row[0]
        for row in rows.all(
            "SELECT id FROM workflow_instance WHERE ended_at > 0 AND ended_at < :before ORDER BY ended_at LIMIT :limit",
            before=before,
            limit=limit,
        )
    ]


def forget(rows: Rows, ids: list[str]) -> None:
    """Delete runs."""
    rows.run_many("DELETE FROM workflow_instance WHERE id = :id", [{"id": one} for one in ids])
