"""What an edition says otherwise than the one before it: by hand, in both languages, and nothing that strangers wrote as is."""

import csv
import io
import json

import pytest

from smi_pipeline.report.context import report
from smi_pipeline.report.files import contents
from smi_pipeline.report.inputs import Against
from smi_pipeline.report.pages import page

pytestmark = pytest.mark.usefixtures("light_font")


@pytest.fixture
def before(rankings_frame, rank_row):
    """Alpha, Bravo and Charlie were 2nd, 1st and 3rd; Kilo had no rank; a city that left since was 4th; Facebook as now."""
    rows = [
        rank_row("composite", "c01", 2, 90.0),
        rank_row("composite", "c02", 1, 92.5),
        rank_row("composite", "c03", 3, 80.0),
        rank_row("composite", "c11", None, None),
        rank_row("composite", "c12", 4, 79.0, city_id="c99", name_zh="旧市", name_en="Gone"),
        rank_row("facebook", "c01", 1, 77.0),
    ]
    return rankings_frame(rows)


@pytest.fixture
def now(rankings_frame, rank_row):
    rows = [
        rank_row("composite", "c01", 1, 91.25),
        rank_row("composite", "c02", 2, 88.5),
        rank_row("composite", "c03", 3, 80.0 + 1e-12),
        rank_row("composite", "c11", 4, 40.0),
        rank_row("facebook", "c01", 1, 77.0),
    ]
    return rankings_frame(rows)


@pytest.fixture
def revised(given, before, now):
    def build(**more):
        told = {"number": 2, "draft": False, "reason": "X was asked again", "causes": {"data": ["2025-05.x.0003"]}}
        return report(given(rankings=now, against=Against(**(told | {"rankings": before, "withheld": False} | more))))

    return build


def test_who_moved_is_told_from_where_to_where_and_who_did_not_is_left_out(revised):
    """A rank gained or lost stands before all moves; a difference in the twelfth decimal is none."""
    moved = [
        (m.index_name, m.city.city_id, m.rank_before, m.rank, m.score_before, m.score) for m in revised().revision.moved
    ]
    assert moved == [
        ("composite", "c11", None, 4, None, 40.0),
        ("composite", "c99", 4, None, 79.0, None),
        ("composite", "c01", 2, 1, 90.0, 91.25),
        ("composite", "c02", 1, 2, 92.5, 88.5),
    ]


def test_the_file_of_changes_has_them_all(revised):
    files = contents(revised())
    rows = list(csv.DictReader(io.StringIO(files["changes.csv"].decode())))
    assert [(r["city_id"], r["rank_before"], r["rank"], r["score_before"], r["score"]) for r in rows] == [
        ("c11", "", "4", "", "40.0"),
        ("c99", "4", "", "79.0", ""),
        ("c01", "2", "1", "90.0", "91.25"),
        ("c02", "1", "2", "92.5", "88.5"),
    ]
    assert "changes.csv" in json.loads(files["manifest.json"])["files"]


def test_the_page_says_which_edition_it_is_why_and_from_what(revised):
    english = page(revised(), "en")
    assert "What changed against edition 1" in english
    assert "This is edition 2 of May 2025." in english
    assert 'Why it was published again: <bdi dir="auto">X was asked again</bdi>' in english
    assert "Data collected anew: <code>2025-05.x.0003</code>" in english
    assert "4 cities with another rank or score, 4 of them with another rank." in english
    chinese = page(revised(), "zh")
    assert "与第1版相比的变化" in chinese
    assert "重新发布的原因：<bdi" in chinese


def test_a_draft_says_that_it_is_one(revised):
    draft = page(revised(draft=True, reason=None), "en")
    assert "Draft of edition 2 of May 2025, not published." in draft
    assert "Why it was published again" not in draft


def test_a_reason_stays_text(revised):
    text = "<script>alert(1)</script> \u202ereversed"
    shown = page(revised(reason=text), "en")
    assert "<script>alert" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt; reversed" in shown


def test_where_the_edition_before_had_no_ranks_its_ranks_are_not_told_now(revised):
    files = contents(revised(withheld=True))
    assert "changes.csv" not in files
    assert json.loads(files["report.json"])["revision"]["moved"] == []
    assert "Ranks are withheld, and so are changes" in files["index.en.html"].decode()


def test_where_nothing_else_differs_the_software_is_named(revised):
    assert revised(causes={}).revision.causes == {"code": ()}


def test_a_first_edition_says_nothing_of_the_kind(given):
    files = contents(report(given()))
    assert "changes.csv" not in files
    assert 'id="revision"' not in files["index.html"].decode()
    assert json.loads(files["report.json"])["revision"] is None
