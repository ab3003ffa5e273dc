"""An edition on disk: whole, the same bytes again, and readable by machines."""

import base64
import csv
import hashlib
import html
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from fontTools.ttLib import TTFont
from smi import environment

from smi_pipeline.report.context import report
from smi_pipeline.report.files import EditionError, contents, write_report
from smi_pipeline.report.tables import rankings_csv

INDICES = ("composite", "facebook", "x", "instagram", "youtube", "tiktok")
SETS = {"zh": ["report.pdf", "report.xlsx"], "en": ["report.en.pdf", "report.en.xlsx"]}
NAMES = ["index.html", "index.en.html"]
for language, names in SETS.items():
    NAMES += names
    NAMES += [f"cards/{index}.{language}.{kind}" for index in INDICES for kind in ("svg", "png")]
    NAMES += [f"charts/{chart}.{language}.{kind}" for chart in ("bump", "giu", "intervals") for kind in ("svg", "png")]
    NAMES += [f"cities/c{number:02d}.{language}.html" for number in range(1, 13)]
NAMES += ["rankings.csv", "rankings.excel.csv", "rankings.parquet", "report.json", "manifest.json"]
ELSEWHERE = """
import hashlib, importlib.util, sys
from pathlib import Path
from zoneinfo import ZoneInfo
from smi_pipeline.index.method import load_method
from smi_pipeline.months import Month
from smi_pipeline.report.context import report
from smi_pipeline.report.files import contents
from smi_pipeline.report.inputs import ReportInput

spec = importlib.util.spec_from_file_location("edition", sys.argv[1])
made = importlib.util.module_from_spec(spec)
spec.loader.exec_module(made)
given = ReportInput(
    month=Month(made.MONTH), zone=ZoneInfo("Asia/Shanghai"), status="final", method=load_method("m1"),
    code_version="0.1.0", snapshot=417, synthetic=False, **made.frames(),
)
print(hashlib.sha256(b"".join(contents(report(given)).values())).hexdigest())
"""


def listed(directory):
    """Every file below, by its path from there."""
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())


def test_the_files_are_all_there_and_nothing_else(given, tmp_path):
    edition = tmp_path / "reports" / "2025-05"
    assert write_report(report(given()), edition) == [edition / name for name in NAMES]
    assert listed(edition) == sorted(NAMES)
    assert [path.name for path in edition.parent.iterdir()] == ["2025-05"]


def test_writing_twice_gives_the_same_bytes(given, tmp_path):
    edition = tmp_path / "2025-05"
    first = [path.read_bytes() for path in write_report(report(given()), edition)]
    assert [path.read_bytes() for path in write_report(report(given()), edition)] == first


@pytest.mark.parametrize("seed", ["1", "2"])
def test_another_process_gives_the_same_bytes(given, seed):
    here = hashlib.sha256(b"".join(contents(report(given())).values())).hexdigest()
    elsewhere = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(Path(__file__).with_name("conftest.py"))],
        env=environment(PYTHONHASHSEED=seed, TZ="America/New_York", LC_ALL="C", PYTHONPATH=os.pathsep.join(sys.path)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert elsewhere.stdout.strip() == here


def test_an_older_edition_is_replaced_whole(given, tmp_path):
    edition = tmp_path / "2025-05"
    edition.mkdir()
    (edition / "stale.html").write_text("old")
    write_report(report(given()), edition)
    assert listed(edition) == sorted(NAMES)
    assert [path.name for path in tmp_path.iterdir()] == ["2025-05"]


def test_a_failed_swap_leaves_the_edition_before(given, tmp_path, monkeypatch):
    edition = tmp_path / "2025-05"
    before = [path.read_bytes() for path in write_report(report(given()), edition)]
    rename = Path.rename

    def refuse(self, target):
        if self.name == "new":
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(EditionError, match="2025-05: the edition was not written: No space left on device"):
        write_report(report(given(synthetic=True)), edition)
    assert [(edition / name).read_bytes() for name in NAMES] == before
    assert [path.name for path in tmp_path.iterdir()] == ["2025-05"]


@pytest.mark.parametrize("kind", ["link", "file"])
def test_what_is_not_a_directory_is_not_replaced(given, tmp_path, kind):
    """X3: a link in the output directory could lead anywhere."""
    edition = tmp_path / "2025-05"
    if kind == "link":
        (tmp_path / "elsewhere").mkdir()
        edition.symlink_to(tmp_path / "elsewhere")
    else:
        edition.write_text("mine")
    with pytest.raises(EditionError, match="expected a directory or nothing"):
        write_report(report(given()), edition)
    assert kind == "file" or listed(tmp_path / "elsewhere") == []


def test_a_place_that_cannot_be_written_is_one_clear_error(given, tmp_path):
    (tmp_path / "reports").write_text("a file where the folder should be")
    with pytest.raises(EditionError, match="2025-05: the edition cannot be written there"):
        write_report(report(given()), tmp_path / "reports" / "2025-05")


def test_the_csv_gives_every_ranking_row_back(given):
    text = contents(report(given()))["rankings.csv"].decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    back = {(row["index_name"], row["city_id"]): row for row in rows}
    marts = given().rankings
    assert len(rows) == len(back) == marts.height
    assert list(rows[0]) == [*marts.columns, "synthetic"]
    for row in marts.iter_rows(named=True):
        got = back[row["index_name"], row["city_id"]]
        assert (float(got["score"]) if got["score"] else None) == row["score"]
        for name in ("rank", "previous_rank", "rank_change"):
            assert (int(got[name]) if got[name] else None) == row[name]
        assert (got["flags"].split("|") if got["flags"] else []) == row["flags"]
        assert (got["name_zh"], got["name_en"]) == (row["name_zh"], row["name_en"])


def test_the_machine_csv_leaves_values_untouched(given):
    formula = '=HYPERLINK("x"),\n"quoted"'
    odd = given().rankings.with_columns(name_en=pl.lit(formula), score=pl.lit(0.1 + 0.2))
    [first, *_] = csv.DictReader(io.StringIO(rankings_csv(report(given(rankings=odd))), newline=""))
    assert first["name_en"] == formula
    assert float(first["score"]) == 0.1 + 0.2


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("index.html", r"<main.*</main>"),
        ("index.en.html", r"<main.*</main>"),
        ("cards/composite.zh.svg", r"</style>.*"),
        ("charts/bump.zh.svg", r"</style>.*"),
    ],
)
def test_a_page_and_a_card_bring_the_glyphs_of_what_they_show(given, name, shown):
    text = contents(report(given()))[name].decode()
    words = re.sub(r"<[^>]*>", "", re.search(shown, text, re.DOTALL).group())
    for font in re.findall(r"base64,([A-Za-z0-9+/=]+)", text):
        glyphs = TTFont(io.BytesIO(base64.b64decode(font))).getBestCmap()
        assert {c for c in html.unescape(words) if not c.isspace()} <= {chr(code) for code in glyphs}


def test_the_json_has_the_content_unrounded_with_sorted_keys(given):
    text = contents(report(given()))["report.json"].decode()
    told = json.loads(text)
    assert json.dumps(told, ensure_ascii=False, sort_keys=True, indent=1) + "\n" == text
    assert told["month"] == "2025-05"
    assert told["composite"]["entries"][0]["score"] == 91.256
    assert told["sections"][0]["figures"][0]["engagement_rate"] == 412907 / 128
    assert told["sections"][0]["posts"][0]["published_at"] == "2025-05-03T18:30:00+00:00"
    assert told["composite"]["entries"][-1]["rank"] is None
    assert told["sentences"]["zh"]["finding"].startswith("甲市")
    assert told["year"][0]["places"]["c01"] == {"rank": 1, "interval": [1.0, 3.0]}
    assert "profiles" not in told


def test_a_figure_that_is_no_number_is_refused(given):
    broken = given().city_metrics.with_columns(engagement_rate=pl.lit(float("nan")))
    with pytest.raises(ValueError, match="JSON"):
        contents(report(given(city_metrics=broken)))


def test_the_manifest_holds_the_sum_of_every_other_file(given, tmp_path):
    edition = tmp_path / "2025-05"
    write_report(report(given(synthetic=True)), edition)
    manifest = json.loads((edition / "manifest.json").read_text())
    assert set(manifest["files"]) == set(NAMES) - {"manifest.json"}
    for name, told in manifest["files"].items():
        content = (edition / name).read_bytes()
        assert told == {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    assert (manifest["snapshot"], manifest["versions"]["method"], manifest["synthetic"]) == (417, "m1", True)
