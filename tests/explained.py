"""Rows that remember how the engine would read each statement."""

from typing import Any

from tests import postgres


class Explained:
    """Hands reads on; ``plans``: lines of their plans."""

    def __init__(self, rows: Any, plans: list[str]) -> None:
        self.rows = rows
        self.plans = plans

    def _explain(self, sql: str, params: dict[str, Any]) -> None:
        word = "EXPLAIN " if postgres.WANTED else "EXPLAIN QUERY PLAN "
        self.plans.extend(row[-1].strip() for row in self.rows.all(word + sql, **params))

    def one(self, sql: str, **params: Any) -> Any:
        self._explain(sql, params)
        return self.rows.one(sql, **params)

    def all(self, sql: str, **params: Any) -> Any:
        self._explain(sql, params)
        return self.rows.all(sql, **params)
