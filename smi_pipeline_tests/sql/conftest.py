"""Raw and index rows written a line at a time: into a plain DuckDB, where the files must run as they are, or a lake."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import duckdb
import polars as pl
import pytest

from smi_pipeline.index.edition import COMPOSITE, PLATFORM_INDEX
from smi_pipeline.lake.frames import Frame, frame_of, read_frame
from smi_pipeline.lake.tables import DECLARED, SCHEMAS, create_statements
from smi_pipeline.sql.graph import Graph, build_graph
from smi_pipeline.sql.project import load_project
from smi_pipeline.sql.run import build_views

MAY = date(2025, 5, 1)
SEEN = datetime(2025, 6, 9, 22, tzinfo=UTC)
CITY = {"month": pl.Date, "city_id": pl.String, "name_zh": pl.String, "name_en": pl.String, "province": pl.String}
ACCOUNT = (
    {"month": pl.Date}
    | dict.fromkeys(("city_id", "platform", "account_id", "handle", "role"), pl.String)
    | {"in_index": pl.Boolean}
)
INDEX = {"composite": COMPOSITE, "platform_index": PLATFORM_INDEX, "city": CITY, "account": ACCOUNT}


def clock(hour: int, day: int = 9) -> datetime:
    return datetime(2025, 6, day, hour, tzinfo=UTC)


@dataclass
class Tables:
    """Writes rows into raw.* and index.* of whatever database the cursor is on."""

    cursor: duckdb.DuckDBPyConnection

    def collection(
        self,
        platform: str,
        collection_id: str = "k1",
        *,
        month: date = MAY,
        status: str = "finished",
        hour: int = 22,
        cut: str = "final",
        **more: Any,
    ) -> None:
        at = clock(hour)
        row = {
            "collection_id": collection_id, "platform": platform, "month": month, "cut": cut, "status": status, "started_at": at, "recorded_at": at,
            "finished_at": at if status == "finished" else None, "requests": 1, "accounts_asked": 1, "accounts_answered": 1, "accounts_failed": 0, "synthetic": True,
        }  # fmt: skip
        self._insert("collection_log", platform, [row | more])

    def posts(self, platform: str, *rows: dict[str, Any]) -> None:
        self._insert(f"{platform}_posts", platform, [self._common() | row for row in rows])

    def accounts(self, platform: str, *rows: dict[str, Any]) -> None:
        self._insert(f"{platform}_accounts", platform, [self._common() | row for row in rows])

    def outcomes(self, platform: str, *rows: dict[str, Any]) -> None:
        common = {
            "collection_id": "k1",
            "platform": platform,
            "month": MAY,
            "account_id": "a",
            "handle": "h",
            "outcome": "answered",
            "observed_at": SEEN,
        }
        self._insert("collection_account", platform, [common | row for row in rows])

    def rejected(self, platform: str, *rows: dict[str, Any]) -> None:
        common = {
            "collection_id": "k1",
            "platform": platform,
            "month": MAY,
            "account_id": "a",
            "field": "likes",
            "value": "-1",
            "reason": "bad count",
            "observed_at": SEEN,
            "payload": "{}",
        }
        self._insert("rejected", platform, [common | row for row in rows])

    def index(self, name: str, *rows: dict[str, Any]) -> None:
        listed = [{"month": MAY} | ({"flags": []} if "flags" in INDEX[name] else {}) | row for row in rows]
        stream = Frame(pl.DataFrame([dict.fromkeys(INDEX[name]) | row for row in listed], schema=INDEX[name]))  # noqa: F841  found by its name
        self.cursor.execute(f"create table if not exists index.{name} as from stream limit 0")
        self.cursor.execute(f"insert into index.{name} by name from stream")

    def _insert(self, table: str, platform: str, rows: list[dict[str, Any]]) -> None:
        """A collection called k1 is `k1.<platform>`: no two platforms share one."""
        named = [row | {"collection_id": f"{row['collection_id']}.{platform}"} for row in rows]
        stream = Frame(frame_of(named, DECLARED[f"raw.{table}"]))  # noqa: F841  found by its name
        self.cursor.execute(f"insert into raw.{table} by name from stream")

    def _common(self) -> dict[str, Any]:
        return {
            "collection_id": "k1",
            "month": MAY,
            "account_id": "a",
            "platform_account_id": "9",
            "observed_at": SEEN,
            "payload": "{}",
        }


@dataclass
class Shell(Tables):
    """A plain DuckDB as a reader would open one: raw tables, staging views, the variable `month`."""

    graph: Graph

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return read_frame(self.cursor, sql).rows()

    def table(self, *relations: str) -> None:
        """Run the models' files, as tables."""
        for relation in relations:
            model = self.graph.project[relation]
            self.cursor.execute(f"create or replace table {model.relation} as {model.path.read_text()}")


@pytest.fixture(scope="session")
def graph():
    return build_graph(load_project())


@pytest.fixture
def shell(graph):
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    for schema in SCHEMAS:
        connection.execute(f"create schema {schema}")
    for statement in create_statements(set()):
        if not statement.startswith("alter"):  # partitions are DuckLake's alone
            connection.execute(statement)
    connection.execute("set variable month = date '2025-05-01'")
    for model in graph.views():
        connection.execute(f"create view {model.relation} as {model.path.read_text()}")
    yield Shell(connection, graph)
    connection.close()


@pytest.fixture
def into(lake):
    """A transaction on the test's lake, to write raw and index rows in."""

    @contextmanager
    def write():
        with lake.write("rows of a test") as transaction:
            yield Tables(transaction.cursor)

    return write


@pytest.fixture
def staged(lake, graph):
    """A lake with the staging views, as every derivation finds it."""
    build_views(lake, graph)
    return lake
