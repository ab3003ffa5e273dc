"""The page over all editions: newest first, both languages, nothing that is not there."""

import json
import re

import pytest

from smi_pipeline.report.archive import write_archive
from smi_pipeline.report.context import report
from smi_pipeline.report.files import write_report

pytestmark = pytest.mark.usefixtures("light_font")


def test_every_edition_is_listed_newest_first_with_its_leaders_and_status(given, tmp_path):
    write_report(report(given(synthetic=True)), tmp_path / "2025-05")
    older = tmp_path / "2025-04"
    older.mkdir()
    told = json.loads((tmp_path / "2025-05" / "report.json").read_text())
    (older / "report.json").write_text(json.dumps(told | {"status": "provisional", "synthetic": False}))
    page = write_archive(tmp_path).read_text()
    assert re.findall(r"<b>(\d{4}-\d\d)</b>", page) == ["2025-05", "2025-04"]
    assert page.index("终版") < page.index("暂定版")
    assert 'href="2025-05/index.html"' in page
    assert 'href="2025-05/index.en.html"' in page
    assert "1 甲市" in page
    assert "合成数据" in page


def test_what_is_no_edition_is_passed_over_and_nothing_is_left_behind(tmp_path):
    for name in ("2025-13", "2025-06", "notes"):
        (tmp_path / name).mkdir()
    page = write_archive(tmp_path)
    assert "还没有报告" in page.read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2025-06", "2025-13", "index.html", "notes"]


def test_the_same_editions_give_the_same_page(given, tmp_path):
    write_report(report(given()), tmp_path / "2025-05")
    first = write_archive(tmp_path).read_bytes()
    assert write_archive(tmp_path).read_bytes() == first


def test_a_name_in_an_edition_stays_text(given, tmp_path, rankings_frame, rank_row):
    rows = [rank_row("composite", "c01", 1, 9.0, name_zh="<img src=x>")]
    write_report(report(given(rankings=rankings_frame(rows))), tmp_path / "2025-05")
    assert "<img" not in write_archive(tmp_path).read_text()
