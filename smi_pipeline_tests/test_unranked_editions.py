"""A month published without ranks, from the registry's file to the terminal: the lake has them, what is published not."""

import json
import re
import shutil

import openpyxl
import polars as pl
import pypdfium2
import pytest
from smi import SAMPLE, rows, smi, smi_each

from smi_pipeline.defs.edition import report_input
from smi_pipeline.defs.inputs import current_inputs, kept_inputs
from smi_pipeline.lake.connection import Lake
from smi_pipeline.months import Month
from smi_pipeline.registry.load import RegistryError
from smi_pipeline.report.context import report
from smi_pipeline.settings import Settings

APRIL, MAY = Month.parse("2025-04"), Month.parse("2025-05")
HEAD = "month,ranks,reason_zh,reason_en\n"
NUMBER = re.compile(r"\d+\.\d+")
WITHHELD = HEAD + "2025-04,withheld,部分数据仍在核对,some data are still being checked\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory, whole):
    """The registry and the lake of April, published without ranks, and May, published with them.

    March's followers give both months the same indicators, else their ranks would not compare.
    """
    folder = tmp_path_factory.mktemp("unranked")
    shutil.copytree(SAMPLE / "registry", folder / "registry")
    (folder / "registry" / "editions.csv").write_text(WITHHELD, encoding="utf-8")
    shutil.copytree(whole, folder / "lake")
    where = ("--sandbox", SAMPLE, "--lake", folder / "lake", "--registry", folder / "registry")
    smi_each([("report", month, *where[2:]) for month in ("2025-04", "2025-05")])
    return folder


@pytest.fixture
def copied(made, tmp_path):
    """A copy of them to change: the lake, its registry folder and their settings."""
    shutil.copytree(made, tmp_path / "made")
    lake, registry = tmp_path / "made" / "lake", tmp_path / "made" / "registry"
    return Lake.of(lake), registry, Settings(lake=lake, registry=registry)


def told(lake, month):
    return json.loads((lake / "reports" / month.key / "report.json").read_text(encoding="utf-8"))


def pdf_text(path):
    with pypdfium2.PdfDocument(path) as document:
        return "\n".join(page.get_textpage().get_text_range() for page in document)


def ranks(lake, month, column="rank"):
    return dict(rows(lake, f"select city_id, {column} from index.composite where month = '{month.first}'"))


def stored(lake):
    return [
        text for (text,) in rows(lake, "select text from raw.input_file where kind = 'editions' order by loaded_at")
    ]


def test_the_lake_has_the_ranks_that_are_not_published(made):
    listed = told(made / "lake", APRIL)["withheld"]["leading"]["composite"]
    ranked = {city: rank for city, rank in ranks(made / "lake", APRIL).items() if rank is not None and rank <= 10}
    assert {city["city_id"] for city in listed} == set(ranked)
    assert min(ranked.values()) == 1


def test_no_file_of_the_month_has_a_score_of_it(made):
    """To the last digit and as it would be printed; scores of a whole number or less are numbers of many things."""
    sql = "select score from marts.rankings where month = '2025-04-01' and score > 1 union all"
    sql += " select contribution from index.contribution where month = '2025-04-01' and contribution > 1"
    scores = {score for (score,) in rows(made / "lake", sql) if score % 1}
    assert len(scores) > 50
    words = {f"{score:.2f}" for score in scores} | {repr(score) for score in scores}
    folder, style = made / "lake" / "reports" / "2025-04", re.compile(r"<style>.*?</style>", re.DOTALL)
    files = [path for path in folder.rglob("*") if path.suffix in {".html", ".json", ".csv", ".svg"}]
    assert len(files) == 2 + 12 + 2 + 2
    printed = {(file.name, number) for file in files for number in NUMBER.findall(style.sub("", file.read_text()))}
    printed |= {("report.pdf", number) for number in NUMBER.findall(pdf_text(folder / "report.pdf"))}
    printed |= {
        ("report.xlsx", form.format(cell))
        for sheet in openpyxl.load_workbook(folder / "report.xlsx")
        for row in sheet.iter_rows(values_only=True)
        for cell in row
        if isinstance(cell, float)
        for form in ("{!r}", "{:.2f}")
    }
    printed |= {("rankings.parquet", column) for column in pl.read_parquet(folder / "rankings.parquet").columns}
    found = {(name, number) for name, number in printed if number in words}
    assert found == set()
    shown = (made / "lake" / "reports" / "2025-05" / "rankings.csv").read_text()
    assert any(repr(score) in shown for (score,) in rows(made / "lake", sql.replace("2025-04", "2025-05")))


def test_the_year_of_the_next_month_has_no_place_of_it(made):
    """Its changes tell where a city came from; its charts and city pages do not print the ranks that were withheld."""
    [april, may] = told(made / "lake", MAY)["year"]
    assert (april["withheld"], april["places"]) == (True, {})
    assert (may["withheld"], len(may["places"])) == (False, len(told(made / "lake", MAY)["cities"]))
    page = next((made / "lake" / "reports" / "2025-05" / "cities").glob("*.zh.html")).read_text()
    row = re.search(r"<tr><th[^>]*>2025年4月</th>.*?</tr>", page).group()
    assert re.findall(r">([^<>]+)</(?:b|td)>", row) == ["—"] * 7 + ["不公布名次"]
    folder = made / "lake" / "reports" / "2025-04"
    assert not (folder / "cities").exists()
    assert not (folder / "charts").exists()


def test_the_next_month_compares_with_it_as_ever(made):
    entries = told(made / "lake", MAY)["composite"]["entries"]
    before = ranks(made / "lake", MAY, "previous_rank")
    assert {entry["city"]["city_id"]: entry["previous_rank"] for entry in entries} == before
    assert any(entry["change"]["places"] for entry in entries)
    assert told(made / "lake", MAY)["withheld"] is None


def test_the_decision_is_stored_once_and_read_from_the_lake_without_the_folder(copied):
    lake, registry, setting = copied
    assert stored(lake.path) == [WITHHELD]
    (registry / "editions.csv").unlink()
    for inputs in (current_inputs(lake, setting), kept_inputs(lake, setting)):
        assert report(report_input(lake, APRIL, inputs)).withheld is not None
        assert report(report_input(lake, MAY, inputs)).withheld is None
    assert stored(lake.path) == [WITHHELD]


def test_ranks_are_shown_again_when_the_file_says_so(copied):
    lake, registry, setting = copied
    withheld = lake.snapshot()
    (registry / "editions.csv").write_text(HEAD + "2025-04,shown,,\n", encoding="utf-8")
    given = report_input(lake, APRIL, current_inputs(lake, setting))
    assert report(given).withheld is None
    assert report(given).composite.entries[0].rank == 1
    assert given.snapshot > withheld
    assert stored(lake.path)[0] == WITHHELD


def test_a_file_with_mistakes_is_refused_with_its_lines_and_nothing_is_stored(copied):
    lake, registry, setting = copied
    (registry / "editions.csv").write_text(HEAD + "2025-4,withheld,x,\n", encoding="utf-8")
    with pytest.raises(RegistryError) as refused:
        current_inputs(lake, setting)
    where = f"{registry / 'editions.csv'} line 2, column"
    assert [problem.split(":")[0] for problem in refused.value.problems] == [f"{where} month", f"{where} reason_en"]
    assert stored(lake.path) == [WITHHELD]


def test_the_terminal_lists_them_in_the_editions_order_without_ranks_and_says_why(copied):
    lake, registry, _ = copied
    done = smi("report", "2025-04", "--lake", lake.path, "--registry", registry, check=True, COLUMNS="120")
    listed = told(lake.path, APRIL)["withheld"]["leading"]["composite"]
    assert re.findall(r"│ (\S+) .*│", done.stdout) == [city["name_zh"] for city in listed]
    assert "Composite 2025-04 (provisional): the leading cities in random order" in done.stdout
    assert "Ranks and scores are withheld: some data are still being checked" in done.stdout
    assert "rank " not in done.stdout
    assert not re.search(r"\d\.\d\d|[▲▼]", done.stdout)
