"""What the UI shows of a table's month: how many rows, and the first ten."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import dagster as dg
import polars as pl

from smi_pipeline.defs.partitions import MONTHS
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.derived import Replaced
from smi_pipeline.lake.frames import read_frame
from smi_pipeline.months import Month
from smi_pipeline.report.untrusted import clean

ROWS = 10
WIDTH = 60
Metadata = dict[str, dg.MetadataValue | dg.TableSchema | int]
INPUTS = "inputs"  # what a scored month has seen of its input files
Descriptions = Mapping[str, str]
NOTHING: Descriptions = {}
NO_MORE: Mapping[str, dg.MetadataValue] = {}


def month_metadata(lake: Lake, table: str, month: date, about: Descriptions = NOTHING) -> Metadata:
    """Row count, first rows and columns of one month of a table, and the lake's snapshot."""
    with lake.read() as cursor:
        rows = cursor.execute(f"select count(*) from {table} where month = $1", [month]).fetchone()
        columns = "columns(name -> name <> 'payload')"
        first = read_frame(cursor, f"select {columns} from {table} where month = $month limit {ROWS}", {"month": month})
        snapshot = cursor.execute("select id from ducklake_current_snapshot('lake')").fetchone()
    snapshot_id = {"snapshot": snapshot[0] if snapshot else 0}
    return snapshot_id | month_shown(rows[0] if rows else 0, first, about)


def month_shown(rows: int, first: pl.DataFrame, about: Descriptions = NOTHING) -> Metadata:
    """How many rows a month has, its first ones as a table, and its columns with type and description."""
    columns = [dg.TableColumn(name, type=str(kind), description=about.get(name)) for name, kind in first.schema.items()]
    return {
        "dagster/partition_row_count": rows,
        "dagster/column_schema": dg.TableSchema(columns),
        "preview": shown_table(first),
    }


def tell_month(
    context: dg.AssetExecutionContext,
    lake: Lake,
    table: str,
    month: Month,
    done: Replaced,
    *,
    own: bool = True,
    about: Descriptions = NOTHING,
    more: Mapping[str, dg.MetadataValue] = NO_MORE,
) -> None:
    """Tell the UI what a step did to one month of a table.

    A month of the run's own range gets its metadata, in full only the last one: what a table looks like need not be
    told for each of two hundred months. A neighbour made along with it gets a materialisation of its own.
    """
    counted: Metadata = {"dagster/partition_row_count": done.rows, "changed": done.changed, **more}
    key = dg.AssetKey(table.split("."))
    if not own:
        if MONTHS.has_partition_key(month.key):
            context.log_event(dg.AssetMaterialization(key, partition=month.key, metadata=counted))
        return
    if month.key == context.partition_keys[-1]:
        counted |= month_metadata(lake, table, month.first, about)
    context.add_asset_metadata(counted, asset_key=key, partition_key=month.key)


def shown_table(frame: pl.DataFrame) -> dg.TableMetadataValue:
    """A frame as a table of the UI. Cells are other people's text, cut short: plain there, never markup or a link."""
    columns = [dg.TableColumn(name, type=str(kind)) for name, kind in frame.schema.items()]
    records = [
        dg.TableRecord({name: _cell(value) for name, value in row.items()}) for row in frame.iter_rows(named=True)
    ]
    return dg.MetadataValue.table(records, dg.TableSchema(columns))


def _cell(value: object) -> str | None:
    return None if value is None else clean(str(value), length=WIDTH)
