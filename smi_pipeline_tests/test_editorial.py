"""An editors' text from the inbox to the page: kept by the lake, so that the edition can be written again without the file."""

import json
import shutil

import pytest
from smi import rows

from smi_pipeline.defs.edition import report_input
from smi_pipeline.defs.inputs import current_inputs
from smi_pipeline.lake.connection import Lake
from smi_pipeline.months import Month
from smi_pipeline.registry.load import RegistryError
from smi_pipeline.report.context import report
from smi_pipeline.report.files import write_report
from smi_pipeline.settings import Settings

APRIL, MAY = Month.parse("2025-04"), Month.parse("2025-05")
TEXT = "byline: 数据组\nreviewed_by: 王编辑\n\n# composite +\n本月{}。\n"


@pytest.fixture
def copied(whole, tmp_path):
    """A copy of the sample's lake and its settings."""
    shutil.copytree(whole, tmp_path / "lake")
    return Lake.of(tmp_path / "lake"), Settings(lake=tmp_path / "lake")


def written(lake, settings, month=MAY):
    """The edition as it would be printed now."""
    return report_input(lake, month, current_inputs(lake, settings))


def put(lake, text, name="2025-05.zh.md"):
    folder = lake.path / "inbox" / "editorial"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


def test_a_text_is_kept_and_printed_when_its_file_is_gone(copied):
    lake, settings = copied
    put(lake, TEXT.format("有活动"))
    put(lake, TEXT.format("and English"), "2025-05.en.md")
    first = written(lake, settings)
    assert {language: text.sections[0].text for language, text in first.editorial.items()} == {
        "zh": "本月有活动。",
        "en": "本月and English。",
    }
    shutil.rmtree(lake.path / "inbox")
    assert written(lake, settings).editorial == first.editorial
    stored = rows(lake.path, "select month::varchar, name from raw.input_file where kind = 'editorial' order by name")
    assert stored == [("2025-05-01", "2025-05.en.md"), ("2025-05-01", "2025-05.zh.md")]
    folder = lake.path / "out"
    write_report(report(written(lake, settings)), folder)
    assert "本月有活动。" in (folder / "index.html").read_text(encoding="utf-8")
    told = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert told["editorial"]["zh"]["reviewed_by"] == "王编辑"


def test_a_text_belongs_to_the_snapshot_of_its_own_month_alone(copied):
    lake, settings = copied
    before = {month: written(lake, settings, month).snapshot for month in (APRIL, MAY)}
    put(lake, TEXT.format("有活动"), "2025-04.zh.md")
    after = {month: written(lake, settings, month).snapshot for month in (APRIL, MAY)}
    assert after[APRIL] > before[APRIL]
    assert after[MAY] == before[MAY]


def test_the_newest_text_counts_and_an_empty_file_withdraws_it(copied):
    lake, settings = copied
    for text, shown in ((TEXT.format("一"), "本月一。"), (TEXT.format("二"), "本月二。")):
        put(lake, text)
        assert written(lake, settings).editorial["zh"].sections[0].text == shown
    put(lake, "\n")
    assert written(lake, settings).editorial == {}


def test_every_mistake_of_all_files_is_told_at_once_and_nothing_is_stored(copied):
    lake, settings = copied
    put(lake, "# composite +\nText.\n")
    put(lake, TEXT, "May.zh.md")
    put(lake, TEXT, "2025-05.fr.md")
    with pytest.raises(RegistryError) as caught:
        current_inputs(lake, settings)
    assert (
        sum("expected a name like 2025-05.zh.md or 2025-05.en.md" in problem for problem in caught.value.problems) == 2
    )
    assert any("expected a line `byline: NAME`" in problem for problem in caught.value.problems)
    assert rows(lake.path, "select count(*) from raw.input_file where kind = 'editorial'") == [(0,)]
