"""The records of runs as they stand in ``flow.db``: JSON, readable by every process of the hub."""

import json
from typing import Any

from dbos import DBOSClient, Serializer
from sqlalchemy.exc import OperationalError, ProgrammingError

from entrepot.ops.context import Hub

FILE = "flow.db"
_FAULT = "!fault"


Unreadable = (OperationalError, ProgrammingError)
"""The records are not there yet, or held for too long."""


class StepFailed(Exception):
    """A fault that was recorded."""


class Plain(Serializer):
    """JSON instead of pickles: a data folder that comes from somewhere else runs no code."""

    def serialize(self, data: Any) -> str:
        """As JSON; of an exception what it says."""
        return json.dumps({_FAULT: told(data)} if isinstance(data, BaseException) else data)

    def deserialize(self, serialized_data: str) -> Any:
        """Undo ``serialize``."""
        value = json.loads(serialized_data)
        return StepFailed(value[_FAULT]) if isinstance(value, dict) and value.keys() == {_FAULT} else value

    def name(self) -> str:
        """How records are marked."""
        return "entrepot_json"


def told(fault: BaseException) -> str:
    """What a fault says; of several tries the last one."""
    tries = getattr(fault, "errors", None)
    return told(tries[-1]) if tries else str(fault) or type(fault).__name__


def are_there(hub: Hub) -> bool:
    """Whether there may be records: on PostgreSQL they are beside the hub's rows."""
    return bool(hub.settings.database_url) or (hub.settings.data_dir / FILE).exists()


def url_of(hub: Hub) -> str:
    """Where the records are: where the rows are, so that any node can go on with a run."""
    if hub.settings.database_url:
        return "postgresql+psycopg://" + hub.settings.database_url.partition("://")[2]
    return f"sqlite:///{hub.settings.data_dir.resolve() / FILE}"


def open_client(hub: Hub) -> DBOSClient:
    """To read with, also while another process writes."""
    return DBOSClient(system_database_url=url_of(hub), serializer=Plain())


def steps(client: DBOSClient, instance_id: str) -> list[dict[str, Any]]:
    """Number, name, response, fault and times (Unix seconds) of each recorded step of a run, in their order."""
    found = []
    for one in client.list_workflow_steps(instance_id):
        output = one["output"] if isinstance(one["output"], dict) else {}
        found.append(
            {
                "Number": one["function_id"],
                "Name": one["function_name"],
                "Response": output.get("Response"),
                "Loaded": output if one["function_name"] == ".load" else None,
                "At": output.get("At", 0.0),
                "Fault": told(one["error"]) if one["error"] else "",
                "Began": (one["started_at_epoch_ms"] or 0) / 1000,
                "Ended": (one["completed_at_epoch_ms"] or 0) / 1000,
            }
        )
    return sorted(found, key=lambda step: int(step["Number"]))
