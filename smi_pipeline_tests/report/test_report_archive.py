"""The page over all editions: newest first, both languages, nothing that is not there."""

import base64
import hashlib
import html
import json
import re

import pytest

from smi_pipeline.registry.inputs import EditionRule
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


def test_a_city_is_found_with_its_rank_in_every_edition_and_the_way_to_its_pages(given, tmp_path):
    """Its name leads to the newest page there is; an older edition without pages of cities has its rank unlinked."""
    write_report(report(given()), tmp_path / "2025-05")
    told = json.loads((tmp_path / "2025-05" / "report.json").read_text())
    older = tmp_path / "2025-04"
    older.mkdir()
    told["cities"] = [city for city in told["cities"] if city["city_id"] != "c11"]
    (older / "report.json").write_text(json.dumps(told))
    page = write_archive(tmp_path).read_text()
    rows = re.findall(r'<tr data-find="([^"]*)">(.*?)</tr>', page, re.DOTALL)
    assert rows[0][0] == "甲市 alpha 某省 c01"
    assert 'href="2025-05/cities/c01.zh.html"' in rows[0][1]
    assert 'href="2025-05/cities/c01.en.html"' in rows[0][1]
    assert "2025-04/" not in rows[0][1]
    cells = [re.findall(r'<td class="number"[^>]*>(.*?)</td>', row) for _, row in rows]
    ranks = [[re.sub(r"<[^>]*>", "", cell) for cell in row] for row in cells]
    assert ranks[0] == ["1", "1"]
    assert ranks[10] == ["11", ""]  # Kilo was not monitored in April
    assert ranks[11] == ["—", "—"]  # Lima is not ranked
    script = re.search(r"<script>(.*)</script>", page, re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html.unescape(page)


def test_an_edition_without_ranks_shows_a_mark_for_every_city_and_no_rank(given, tmp_path):
    rule = EditionRule(month="2025-05", ranks="withheld", reason_zh="核对", reason_en="checks")
    write_report(report(given(edition=rule)), tmp_path / "2025-05")
    page = write_archive(tmp_path).read_text()
    table = page[page.index('id="all"') :]
    assert re.findall(r'<td class="number" data-value="([^"]*)">(.*?)</td>', table) == [("", "※")] * 12
    assert "cities/" not in table
