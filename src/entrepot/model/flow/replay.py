"""A run as its records show it: the same machine, fed with what was recorded."""

from typing import Any, NamedTuple

from entrepot.model.flow import kinds
from entrepot.model.flow.run import Result, Run, Task

FIRST = 2
"""Number of the first task's record: what the run was started with comes before it."""


class Record(NamedTuple):
    """What is kept of a step, under its number. ``response`` of a choice is the key of the task that ended first."""

    response: Any = None
    fault: str = ""
    at: float = 0.0


def result_of(task: Task, record: Record) -> Result:
    """What a record says to the run; a wait ends at the time that it recorded."""
    is_wait = task.type == kinds.WAIT and not record.fault
    return Result(record.response, record.fault, record.response["Until"] if is_wait else record.at)


def replay(run: Run, records: dict[int, Record], now: float) -> dict[int, int]:
    """Bring a fresh run to where its records end; the number of each task that was begun, by its key.

    A record is numbered when its task begins; where several tasks are open, the choice which of them ended first has a
    record of its own.
    """
    numbers: dict[int, int] = {}
    open_: dict[int, Task] = {}
    number = FIRST
    tasks = run.start()
    while run.state == "Running":
        for task in tasks:
            open_[task.key] = task
            numbers[task.key] = number
            number += 1
        key = next(iter(open_))
        if len(open_) > 1:
            choice = records.get(number)
            if choice is None:
                break
            key = choice.response
            number += 1
        record = records.get(numbers[key])
        if record is None or (open_[key].type == kinds.WAIT and not record.fault and record.response["Until"] > now):
            break
        task = open_.pop(key)
        tasks = run.done(key, result_of(task, record))
    return numbers
