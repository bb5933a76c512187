"""A backup of a hub on one engine, restored into the other one; rows of any content on the way there and back."""

import contextlib
import functools
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.errors import HubError, Kind
from entrepot.store import postgres_copy
from entrepot.store.migrate import migrate_sqlite
from entrepot.store.postgres_fill import PostgresPlace
from entrepot.store.postgres_link import connect, conninfo
from tests.backup.kit import Restored, back_up, bring_back, everything, findings
from tests.backup.test_backup import image
from tests.conftest import Loop, TestHub
from tests.postgres import shared


@pytest.fixture
def url() -> Iterator[str]:
    made = shared().database()
    yield made
    shared().drop(made)


def furnish(hub: TestHub) -> None:
    hub.bucket("depot")
    hub.bucket("shop", is_public=True)
    for name in ("depot/app", "depot/team/app", "shop/app"):
        image(hub, name, "v1")
        image(hub, name, "v2", size=1000)
    hub.user("pusher@example.com", "pull", "push")
    hub.user("other@example.com", other_account=True)


def test_from_files_to_a_database_and_back(loop: Loop, tmp_path: Path, url: str) -> None:
    hub = TestHub(loop, tmp_path / "data", database_url="")
    furnish(hub)
    hub.run(back_up(hub.hub, tmp_path / "target"))
    wanted = hub.run(everything(hub.hub))
    hub.close()
    loop.run(bring_back(tmp_path / "target", tmp_path / "there", database_url=url))
    there = Restored(loop, tmp_path / "there", hub, database_url=url)
    assert loop.run(everything(there.hub)) == wanted
    assert loop.run(findings(there.hub)) == []
    there.bucket("newcomer")  # ids go on behind those that were left out
    wanted = loop.run(everything(there.hub))
    loop.run(back_up(there.hub, tmp_path / "second"))
    there.close()
    loop.run(bring_back(tmp_path / "second", tmp_path / "back", database_url=""))
    back = Restored(loop, tmp_path / "back", hub, database_url="")
    assert loop.run(everything(back.hub)) == wanted
    assert loop.run(findings(back.hub)) == []
    back.bucket("later")
    back.close()


def test_a_database_with_a_hub_is_refused_before_anything_is_written(hub: TestHub, tmp_path: Path, url: str) -> None:
    hub.run(back_up(hub.hub, tmp_path / "target"))
    hub.run(bring_back(tmp_path / "target", tmp_path / "there", database_url=url))
    with pytest.raises(HubError) as refused:
        hub.run(bring_back(tmp_path / "target", tmp_path / "again", database_url=url))
    assert refused.value.kind is Kind.EXISTS
    assert not list((tmp_path / "again").iterdir())


@functools.cache
def _new_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "new.db"
        migrate_sqlite(file)
        with contextlib.closing(sqlite3.connect(file)) as rows:
            rows.execute("PRAGMA journal_mode = DELETE")
        return file.read_bytes()


def file_of(folder: Path, values: list[tuple[str, bytes | None, int]]) -> Path:
    """A hub's rows with small blobs of these digests, contents and sizes."""
    file = folder / "rows.db"
    file.write_bytes(_new_file())
    with contextlib.closing(sqlite3.connect(file)) as rows:
        rows.execute("DELETE FROM blob")
        rows.execute("INSERT OR IGNORE INTO account (id, name, created_at) VALUES (7, 'one', 0)")
        rows.executemany(
            "INSERT INTO blob (digest, content, size, storage_key, created_at) VALUES (?1, ?2, ?3, ?1, 0)", values
        )
        rows.commit()
    return file


def rows_of(file: Path) -> dict[str, list[tuple[Any, ...]]]:
    with contextlib.closing(sqlite3.connect(file)) as rows:
        return {table: sorted(rows.execute(f"SELECT * FROM {table}"), key=repr) for table in postgres_copy.tables(rows)}


ANY = st.tuples(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40),
    st.none() | st.binary(max_size=200),
    st.integers(-(2**63), 2**63 - 1),
)


@given(st.lists(ANY, max_size=8, unique_by=lambda row: row[0]))
@settings(max_examples=8)
def test_rows_of_any_content_are_the_same_there_and_back(
    tmp_path_factory: pytest.TempPathFactory, url: str, values: list[tuple[str, bytes | None, int]]
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    file = file_of(folder, values)
    wanted = rows_of(file)
    place = PostgresPlace(url)
    place.put(file)
    place.put(file_of(folder, values))  # again, as after a kill behind the commit
    with pytest.raises(HubError, match="with other rows"):
        place.put(file_of(folder, [*values, ("one more", None, 1)]))
    with contextlib.closing(connect(conninfo(url))) as connection:
        postgres_copy.snapshot(connection, folder / "back.db")
        connection.execute("TRUNCATE account CASCADE")
    assert rows_of(folder / "back.db") == wanted


def test_a_text_with_a_nul_is_named_and_nothing_is_there(tmp_path: Path, url: str) -> None:
    with pytest.raises(HubError) as refused:
        PostgresPlace(url).put(file_of(tmp_path, [("a\0b", None, 1)]))
    assert "blob.digest" in refused.value.message
    PostgresPlace(url).check_empty()
