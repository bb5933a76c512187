"""When a cron expression comes next, in a time zone. The expressions are croniter's; what summer time does to them is
said here. Pure.
"""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from entrepot.errors import HubError, Kind

LONGEST = 100
_FIELDS = re.compile(r"[0-9A-Za-z*/,#?-]+")
YEARS = 8
"""How far ahead a time is looked for: the 29th of February is at most so far away."""


def check(expression: str, zone: str) -> str:
    """The expression with single blanks. Raises BAD_PARAM unless it has five fields and comes at some time."""
    fields = expression.split()
    if len(expression) > LONGEST or len(fields) != 5 or not all(map(_FIELDS.fullmatch, fields)):
        raise HubError(Kind.BAD_PARAM, "Cron: five fields are expected: minute, hour, day of month, month, day of week")
    if any(one[0] in "RrHh" for one in fields):
        raise HubError(Kind.BAD_PARAM, "Cron: R and H mean times made up at random; name the time")
    try:
        ZoneInfo(zone)
    except (ValueError, OSError, KeyError) as fault:
        raise HubError(Kind.BAD_PARAM, "TimeZone: an IANA name such as Asia/Shanghai is expected") from fault
    text = " ".join(fields)
    if not next_after(text, zone, int(datetime(2026, 1, 1, tzinfo=ZoneInfo("UTC")).timestamp())):
        raise HubError(Kind.BAD_PARAM, "Cron: there is no such day")
    return text


def next_after(expression: str, zone: str, after: int) -> int:
    """The first time (Unix seconds) after one at which a checked expression comes; 0 for never.

    A time that the clocks skip comes when they have moved on; one that they show twice comes at its first showing, but
    for expressions of every hour. Raises BAD_PARAM for what is no expression.
    """
    # It loads dateutil, which takes a while.
    from croniter import CroniterBadDateError, CroniterError, croniter  # type: ignore[import-untyped]

    home, hourly = ZoneInfo(zone), expression.split()[1].startswith("*")
    try:
        found = croniter(expression, datetime.fromtimestamp(after, home), max_years_between_matches=YEARS)
        while True:
            due = int(found.get_next(datetime).timestamp())
            if hourly or not datetime.fromtimestamp(due, home).fold:
                return due
    except CroniterBadDateError:
        return 0
    except (CroniterError, ValueError, KeyError, OverflowError) as fault:
        raise HubError(Kind.BAD_PARAM, f"Cron: {str(fault)[:200]}") from fault
