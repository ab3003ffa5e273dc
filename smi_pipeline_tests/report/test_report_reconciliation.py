import json
import shutil
from datetime import date

import pytest

from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.frames import read_frame
from smi_pipeline.report.reconciliation import altered_files, disagreements


@pytest.fixture
def edition(whole, tmp_path):
    shutil.copytree(whole / "reports" / "2025-05", tmp_path / "2025-05")
    with Lake.of(whole).read() as cursor:
        stored = read_frame(cursor, "select * from marts.rankings where month = $month", {"month": date(2025, 5, 1)})
    return tmp_path / "2025-05", stored


def test_an_edition_says_what_its_tables_say(edition):
    folder, stored = edition
    assert stored.height > 0
    assert disagreements(folder, stored) == []
    assert altered_files(folder) == []


def test_a_figure_that_was_touched_is_named_with_both_its_values(edition):
    folder, stored = edition
    lines = (folder / "rankings.csv").read_text().splitlines()
    cells = lines[1].split(",")
    score = cells[lines[0].split(",").index("score")]
    lines[1] = lines[1].replace(score, "99.5")
    (folder / "rankings.csv").write_text("\n".join(lines) + "\n")
    assert disagreements(folder, stored) == [f"{cells[1]} {cells[2]}: score is 99.5 in rankings.csv, {score} there"]
    assert altered_files(folder) == ["rankings.csv is not the file that was written"]


def test_a_city_on_one_side_only_is_named(edition):
    folder, stored = edition
    first, rest = stored.row(0, named=True), stored.slice(1)
    assert disagreements(folder, rest) == [f"{first['index_name']} {first['city_id']} is only in rankings.csv"]
    (folder / "rankings.csv").write_text((folder / "rankings.csv").read_text().split("\n", 1)[0] + "\n")
    assert len(disagreements(folder, stored)) == stored.height


def test_a_file_that_is_gone_is_named(edition):
    folder, _ = edition
    name = next(iter(json.loads((folder / "manifest.json").read_text())["files"]))
    (folder / name).unlink()
    assert altered_files(folder) == [f"{name} is not there"]
