"""The workbook as openpyxl reads it: values, formats, heads, and never a formula or a link."""

import io
import zipfile

import openpyxl
import polars as pl
import pytest
from hostile_edition import everywhere

from smi_pipeline.registry.inputs import EditionRule
from smi_pipeline.report.context import report
from smi_pipeline.report.workbook import HEAD_ROW, workbook

FIRST = HEAD_ROW + 2
"""The first row below the head, counted from one."""


def read(content):
    return openpyxl.load_workbook(io.BytesIO(content))


def rows(sheet):
    """The rows below the head, by head."""
    heads, *values = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=HEAD_ROW + 1)]
    return [dict(zip(heads, row, strict=True)) for row in values]


def test_a_sheet_a_ranking_one_of_all_indicators_one_of_the_method(given):
    context = report(given())
    assert read(workbook(context, "en")).sheetnames == [
        "Composite", "Facebook", "X", "Instagram", "YouTube", "TikTok", "All indicators", "Method and sources",
    ]  # fmt: skip
    assert read(workbook(context, "zh")).sheetnames == [
        "综合", "脸书", "X平台", "照片墙", "优兔", "TikTok", "全部指标", "方法与来源",
    ]  # fmt: skip


def test_the_composite_comes_back_in_its_order_with_numbers_as_numbers(given):
    told = rows(read(workbook(report(given()), "en"))["Composite"])
    first, tenth, last = told[0], told[9], told[-1]
    assert (first["Rank"], first["City"], first["中文"], first["Code"], first["Score"]) == (
        1,
        "Alpha",
        "甲市",
        "c01",
        91.256,
    )
    assert (first["Rank before"], first["Change"], first["Interval from"], first["Interval to"]) == (1, 0, 1, 2.5)
    assert (tenth["City"], tenth["Rank before"], tenth["Change"]) == ("Juliett", 13, 3)
    assert (last["City"], last["Rank"], last["Score"], last["Notes"]) == ("Lima", None, None, "no official account")


def test_all_indicators_have_value_and_points_and_contributions_add_up_to_the_score(given):
    told = [row for row in rows(read(workbook(report(given()), "en"))["All indicators"]) if row["Code"] == "c01"]
    facebook, youtube, tiktok, experts = (
        next((row for row in told if row["Platform"] == name), None)
        for name in ("Facebook", "YouTube", "TikTok", "Experts")
    )
    assert (facebook["Posts"], facebook["Posts, points"], facebook["Follower growth"]) == (31, 62.5, None)
    assert (facebook["Rank"], facebook["Score"]) == (1, 77.0)
    assert facebook["Contribution to the composite"] + experts["Contribution to the composite"] == pytest.approx(91.256)
    assert "suspended" in facebook["Notes"]
    assert (youtube, tiktok) == (None, None)  # no figure and no indicator of it there


def test_heads_are_frozen_and_filtered_and_numbers_have_their_formats(given):
    book = read(workbook(report(given()), "en"))
    for sheet in book:
        assert sheet.freeze_panes is not None
        assert sheet.freeze_panes.endswith(str(HEAD_ROW + 2))
        assert sheet.print_title_rows == f"${HEAD_ROW + 1}:${HEAD_ROW + 1}"
    assert book["Composite"].auto_filter.ref == "A4:K16"
    assert book["Instagram"].auto_filter.ref is None  # nobody is ranked there
    formats = {cell.column_letter: cell.number_format for cell in book["Composite"][FIRST]}
    assert (formats["A"], formats["F"], formats["H"]) == ("#,##0", "0.00", "+0;-0;0")
    weights = [
        row for row in book["Method and sources"].iter_rows() if row[0].value == "Weight" and row[2].data_type == "n"
    ]
    assert (weights[0][2].value, weights[0][2].number_format) == (0.4, "0.0%")


def test_the_method_sheet_has_every_parameter_of_the_method(given):
    told = {row["Parameter"]: row["Value"] for row in rows(read(workbook(report(given()), "en"))["Method and sources"])}
    assert (told["composite.quantitative"], told["missing.suspended_above"], told["version"]) == (0.8, 0.2, "m1")
    assert told["goalposts.facebook.posts"].count(",") == 1


def test_made_up_data_are_marked_on_every_sheet(given):
    for made_up in (True, False):
        book = read(workbook(report(given(synthetic=made_up)), "en"))
        assert {str(sheet["A3"].value or "").startswith("Synthetic data.") for sheet in book} == {made_up}
        assert {"Made-up data" in (sheet.oddHeader.center.text or "") for sheet in book} == {made_up}


def test_hostile_text_is_text_in_every_cell_and_nothing_is_a_link(given, posts_frame):
    content = workbook(report(everywhere(given, posts_frame)), "zh")
    book = read(content)
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} <= {"s", "n"}
    assert any(str(cell.value).startswith("=HYPERLINK(") for cell in cells)
    assert [cell for cell in cells if cell.hyperlink] == []
    assert not any(ord(letter) < 32 for cell in cells if isinstance(cell.value, str) for letter in cell.value)
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        assert parts.testzip() is None
        texts = {name: parts.read(name).decode() for name in parts.namelist() if name.endswith((".xml", ".rels"))}
    assert not any("<f>" in text or "<f " in text or 'TargetMode="External"' in text for text in texts.values())


def test_the_file_is_dated_as_the_edition_and_the_same_again(given):
    context = report(given())
    content = workbook(context, "zh")
    assert content == workbook(context, "zh")
    assert read(content).properties.created.isoformat() == "2025-06-09T22:12:00"
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        assert {part.date_time for part in parts.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_an_edition_without_ranks_lists_the_drawn_cities_and_has_no_number_of_any(given):
    rule = EditionRule(month="2025-05", ranks="withheld", reason_zh="核对中", reason_en="checks")
    context = report(given(edition=rule))
    book = read(workbook(context, "zh"))
    assert "全部指标" not in book.sheetnames
    told = rows(book["综合"])
    drawn = [city.name_zh for city in context.withheld.leading["composite"]]
    assert [row["城市"] for row in told if row["前列"] == "是"] == drawn
    assert [row["城市"] for row in told][len(drawn) :] == ["子市", "丑市"]
    assert "核对中" in book["综合"]["A2"].value
    for name in ("综合", "脸书", "X平台"):
        assert not any(isinstance(cell.value, (int, float)) for row in book[name].iter_rows() for cell in row)


def test_an_edition_of_nothing_is_still_a_workbook(given):
    empty = given(
        rankings=given().rankings.clear(),
        movers=given().movers.clear(),
        cities=given().cities.clear(),
        indicator_score=given().indicator_score.clear(),
    )
    book = read(workbook(report(empty), "en"))
    assert book["Composite"].max_row == HEAD_ROW + 1
    assert pl.DataFrame(rows(book["Method and sources"])).height > 50
