"""The rankings as files: the same rows in each, safe to open in Excel, with types for machines."""

import csv
import io

import duckdb
import polars as pl
import pytest
from hostile_edition import EVIL, everywhere

from smi_pipeline.registry.inputs import EditionRule
from smi_pipeline.report.context import report
from smi_pipeline.report.tables import excel_csv, harmless, rankings_csv, rankings_parquet


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_excel_file_has_the_machines_rows_with_a_mark_for_excel(given):
    context = report(given())
    content = excel_csv(context)
    assert content.startswith(b"\xef\xbb\xbfmonth,index_name,")
    assert b"\r\n" in content
    assert rows_of(content.decode("utf-8-sig")) == rows_of(rankings_csv(context))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r", "\n", "＝", "＋", "－", "＠", "  =", "\u3000@"])
def test_a_text_excel_might_compute_has_an_apostrophe_before_it(start):
    assert harmless(f"{start}1+1") == f"'{start}1+1"


@pytest.mark.parametrize("value", ["南京", "Xi'an", "", "a=b", 5, -5, -0.5, None])
def test_any_other_value_is_left_alone(value):
    assert harmless(value) == value


def test_a_number_below_zero_stays_a_number(given, rankings_frame, rank_row):
    context = report(given(rankings=rankings_frame([rank_row("composite", "c01", 3, -0.5, 1)])))
    [row] = rows_of(excel_csv(context).decode("utf-8-sig"))
    assert (row["score"], row["rank_change"]) == ("-0.5", "-2")


def test_hostile_names_open_nothing_in_excel_and_come_back_untouched_for_machines(given, posts_frame):
    context = report(everywhere(given, posts_frame))
    named = EVIL.encode("utf-8", "replace").decode()
    for row in rows_of(excel_csv(context).decode("utf-8-sig")):
        assert row["name_zh"] == f"'{named}"
        assert all(cell[:1] not in {"=", "@", "\t"} for cell in row.values())
    assert {row["name_en"] for row in rows_of(rankings_csv(context))} == {named}


def test_parquet_has_the_rows_with_their_types_in_two_readers(given, tmp_path):
    context = report(given(synthetic=True))
    file = tmp_path / "rankings.parquet"
    file.write_bytes(rankings_parquet(context))
    read = pl.read_parquet(file)
    marts = pl.DataFrame(list(context.rankings), schema=given().rankings.schema)
    assert read.drop("synthetic").equals(marts)
    assert (read.schema["flags"], read.schema["score"], read.schema["month"]) == (
        pl.List(pl.String),
        pl.Float64,
        pl.Date,
    )
    counted = duckdb.sql(f"select count(*), count(rank), bool_and(synthetic) from read_parquet('{file}')").fetchone()
    assert counted == (marts.height, marts["rank"].count(), True)


def test_columns_without_a_value_keep_their_type(given):
    none = given().rankings.with_columns(
        rank=None, score=None, flags=pl.lit([], dtype=pl.List(pl.String)), province=None
    )
    schema = pl.read_parquet(rankings_parquet(report(given(rankings=none)))).schema
    assert (schema["rank"], schema["score"], schema["flags"], schema["province"]) == (
        pl.Int64, pl.Float64, pl.List(pl.String), pl.String,
    )  # fmt: skip


def test_no_format_of_an_edition_without_ranks_has_a_column_of_them(given):
    rule = EditionRule(month="2025-05", ranks="withheld", reason_zh="核对", reason_en="checks")
    context = report(given(edition=rule))
    columns = pl.read_parquet(rankings_parquet(context)).columns
    assert columns == excel_csv(context).decode("utf-8-sig").splitlines()[0].split(",")
    assert not {"rank", "score", "previous_rank", "rank_change"} & set(columns)
