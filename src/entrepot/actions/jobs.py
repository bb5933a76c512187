"""Handlers of api/jobs.py."""

from entrepot.actions.run import Call, handles
from entrepot.api.jobs import Job, Jobs, ListJobs
from entrepot.store.db import Rows
from entrepot.store.sql import jobs as sql
from entrepot.store.sql import people as people_sql

BUCKETS = 100


@handles(ListJobs)
async def list_jobs(call: Call, _: ListJobs) -> Jobs:
    """What concerns the whole hub is told to the account that was made first alone: others share it unseen."""
    ctx = call.ctx

    def load(rows: Rows) -> list[Job]:
        first = people_sql.first_main(rows)
        is_operator = first is not None and first.account_id == ctx.who.account_id
        listed = _of_the_hub(rows, ctx.now) if is_operator else []
        for rule in sql.retention(rows, ctx.who.account_id, BUCKETS):
            state = "Running" if rule.next_run_at <= ctx.now else "Waiting"
            listed.append(_job("Retention", state, bucket=rule.bucket, start=rule.last_run_at, due=rule.next_run_at))
        return listed

    return Jobs(job_set=await ctx.hub.db.read(load))


def _of_the_hub(rows: Rows, now: int) -> list[Job]:
    queue, scrub, backups = sql.collection(rows, now), sql.scrubbing(rows, now), sql.backups(rows, now)
    return [
        _job("Collection", "Running" if queue.due else "Waiting", total=queue.due, due=queue.next_at),
        _job(
            "Scrub",
            "Running" if scrub.is_running and scrub.position else "Waiting",
            done=scrub.position,
            total=scrub.last if scrub.position else 0,
            start=scrub.started_at,
        ),
        _job("Backup", "Running" if backups else "Waiting", total=backups),
    ]


def _job(
    kind: str, state: str, *, bucket: str = "", done: int = 0, total: int = 0, start: int = 0, due: int = 0
) -> Job:
    return Job(kind=kind, bucket_name=bucket, state=state, done=done, total=total, start_time=start, next_time=due)
