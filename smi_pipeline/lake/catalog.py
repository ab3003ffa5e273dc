"""What the catalog says of the lake's files: DuckLake's own tables, read by SQL alone and so alike on every catalog."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import duckdb

from smi_pipeline.lake.connection import Lake

# Where a file is: every part of its path may be relative to the one before it.
_FOLDER = """
    case
        when not t.path_is_relative then t.path
        when not s.path_is_relative then s.path || t.path
        else $data || '/' || s.path || t.path
    end
"""
_FILES = """
with tables as (
    select t.table_id, s.schema_name || '.' || t.table_name as name, {folder} as folder, t.end_snapshot
    from {meta}.ducklake_table as t
    join {meta}.ducklake_schema as s on s.schema_id = t.schema_id
    qualify row_number() over (partition by t.table_id order by t.begin_snapshot desc, s.begin_snapshot desc) = 1
),
files as (
    select 'data' as kind, table_id, path, path_is_relative, record_count as rows, file_size_bytes, begin_snapshot,
        end_snapshot, data_file_id
    from {meta}.ducklake_data_file
    union all
    select 'deletes', table_id, path, path_is_relative, delete_count, file_size_bytes, begin_snapshot,
        end_snapshot, null
    from {meta}.ducklake_delete_file
)
select
    f.kind,
    tables.name,
    case when f.path_is_relative then tables.folder || f.path else f.path end as path,
    f.rows,
    f.file_size_bytes,
    f.begin_snapshot,
    f.end_snapshot,
    try_cast(p.partition_value as date) as month,
    f.data_file_id,
    table_id
from files as f
join tables using (table_id)
left join {meta}.ducklake_file_partition_value as p on p.data_file_id = f.data_file_id and p.partition_key_index = 0
order by name, month, path
"""


@dataclass(frozen=True)
class DataFile:
    """A file the catalog refers to. `end`: the snapshot that no longer has it; null while it is part of the newest.

    `deletes` files list rows of a data file that are gone, and have no `id`; `month` is null where a table has none, or
    the file several.
    """

    kind: str
    table: str
    path: str
    rows: int
    size: int
    begin: int
    end: int | None
    month: date | None
    id: int | None
    table_id: int

    @property
    def whose(self) -> str:
        """The table, and the month where the file is of one."""
        return self.table if self.month is None else f"{self.table} {self.month:%Y-%m}"


def meta(lake: Lake) -> str:
    """The schema that DuckLake's own tables are in."""
    return lake.storage.catalog_schema(lake.path)


def data_files(lake: Lake, cursor: duckdb.DuckDBPyConnection) -> list[DataFile]:
    """Every file the catalog refers to, also those that only earlier snapshots need, sorted by table and month."""
    listed = _FILES.format(meta=meta(lake), folder=_FOLDER)
    rows = cursor.execute(listed, {"data": lake.storage.tables(lake.path)}).fetchall()
    return [DataFile(*row) for row in rows]


def inlined_rows(lake: Lake, cursor: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Rows that are in the catalog itself, by table: small commits make no file."""
    own = meta(lake)
    named = cursor.execute(
        "select distinct s.schema_name || '.' || t.table_name, i.table_name"
        f" from {own}.ducklake_inlined_data_tables as i join {own}.ducklake_table as t using (table_id)"
        f" join {own}.ducklake_schema as s using (schema_id)"
        " where t.end_snapshot is null order by all"
    ).fetchall()
    counted: dict[str, int] = {}
    for table, inlined in named:
        row = cursor.execute(f'select count(*) from {own}."{inlined}" where end_snapshot is null').fetchone()
        counted[table] = counted.get(table, 0) + (row[0] if row else 0)
    return counted


def snapshots(cursor: duckdb.DuckDBPyConnection) -> list[int]:
    """The snapshots that can still be read, oldest first."""
    rows = cursor.execute("select snapshot_id from ducklake_snapshots('lake') order by snapshot_id").fetchall()
    return [number for (number,) in rows]


def older_than(cursor: duckdb.DuckDBPyConnection, days: int) -> list[int]:
    """The snapshots that are at least so many days old."""
    rows = cursor.execute(
        "select snapshot_id from ducklake_snapshots('lake') where snapshot_time <= now() - to_days($1)"
        " order by snapshot_id",
        [days],
    ).fetchall()
    return [number for (number,) in rows]


def scheduled(lake: Lake, cursor: duckdb.DuckDBPyConnection) -> int:
    """Files that no snapshot needs any more and that are still there, for whoever may be reading them."""
    row = cursor.execute(f"select count(*) from {meta(lake)}.ducklake_files_scheduled_for_deletion").fetchone()
    return row[0] if row else 0


def orphans(cursor: duckdb.DuckDBPyConnection, *, least_hours: int = 0) -> list[str]:
    """Parquet files in the lake's folder that the catalog knows nothing of: left by commits that never were.

    None are listed where the lake is attached for reading: DuckLake refuses to look.
    """
    if _is_read_only(cursor):
        return []
    when = f"older_than => now() - to_hours({least_hours:d})" if least_hours else "cleanup_all => true"
    rows = cursor.execute(f"call ducklake_delete_orphaned_files('lake', dry_run => true, {when})").fetchall()
    return sorted(path for (path,) in rows)


def _is_read_only(cursor: duckdb.DuckDBPyConnection) -> bool:
    row = cursor.execute("select readonly from duckdb_databases() where database_name = 'lake'").fetchone()
    return bool(row and row[0])


def versions(numbers: list[int]) -> str:
    """Snapshot numbers as DuckLake's functions take them."""
    return f"versions => [{', '.join(str(int(number)) for number in numbers)}]"
