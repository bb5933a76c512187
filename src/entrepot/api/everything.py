"""Every declaration, in one import: a module's actions are in ACTIONS once it is imported."""

from entrepot.api import (
    accounts,
    audit,
    browse,
    buckets,
    damage,
    events,
    history,
    iam,
    images,
    jobs,
    me,
    own,
    policies,
    repos,
    retention,
    robots,
    stepflow,
    stepflow_runs,
    trash,
    triggers,
    webhooks,
)
from entrepot.api.declare import ACTIONS

__all__ = ["ACTIONS"]
