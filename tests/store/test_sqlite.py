"""What SQLite alone can meet: a file that another program keeps locked."""

from pathlib import Path
from typing import Any

import pytest

from entrepot.errors import HubError, Kind
from entrepot.store.db_sqlite import SqliteDatabase, connect
from entrepot.store.migrate import migrate_sqlite
from tests.conftest import Loop


def test_a_locked_database_is_unavailable_and_recovers(loop: Loop, tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    migrate_sqlite(path)

    def add(rows: Any) -> None:
        rows.run("INSERT INTO account (name, created_at) VALUES ('a', 0)")

    async def story() -> None:
        db, other = SqliteDatabase(path), connect(path)
        db._writer.execute("PRAGMA busy_timeout = 50")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(HubError) as refused:
            await db.write(add)
        assert refused.value.kind is Kind.UNAVAILABLE
        other.execute("ROLLBACK")
        await db.write(add)
        assert await db.read(lambda rows: rows.one("SELECT COUNT(*) FROM account WHERE id > 0")) == (1,)
        other.close()
        await db.close()

    loop.run(story())
