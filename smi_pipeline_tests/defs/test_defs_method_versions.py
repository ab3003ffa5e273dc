"""A month keeps the version of the method it has, whatever versions come after it."""

import shutil

import pytest
from smi import rows

from smi_pipeline.defs.derive import derive_index, score_month
from smi_pipeline.defs.edition import report_input
from smi_pipeline.defs.inputs import current_inputs, kept_inputs
from smi_pipeline.index.method import MethodError, method_text, parse_method
from smi_pipeline.lake.connection import Lake, LakeError
from smi_pipeline.months import Month
from smi_pipeline.settings import Settings

APRIL, MAY = Month.parse("2025-04"), Month.parse("2025-05")
BOUND = '[[bound]]\nversion = "m1"\n[[bound]]\nversion = "m2"\nfrom = "2025-05"\noverlap = "2025-04"\n'
M2 = (
    method_text("m1")
    .replace('version = "m1"', 'version = "m2"')
    .replace("[groups.interactive]\nweight = 0.40", "[groups.interactive]\nweight = 0.05")
    .replace("[groups.utilize]\nweight = 0.40", "[groups.utilize]\nweight = 0.75")
)


@pytest.fixture
def kept(whole, tmp_path):
    """April and May of the sample with their reports, under m1 alone; March's followers make both months whole."""
    shutil.copytree(whole, tmp_path / "lake")
    return Lake.of(tmp_path / "lake")


@pytest.fixture
def second_version(tmp_path, monkeypatch):
    """m2 is bound from May on."""
    folder = tmp_path / "methods"
    folder.mkdir()
    (folder / "m1.toml").write_text(method_text("m1"), encoding="utf-8")
    (folder / "m2.toml").write_text(M2, encoding="utf-8")
    (folder / "months.toml").write_text(BOUND, encoding="utf-8")
    for module in ("method", "versions"):
        monkeypatch.setattr(f"smi_pipeline.index.{module}.METHODS", folder)
    return folder


def composite(lake, month):
    return rows(lake.path, f"select * from index.composite where month = '{month.first}' order by city_id")


def stored_methods(lake):
    return rows(
        lake.path, "select name, count(*) from raw.input_file where kind = 'method' group by name order by name"
    )


def test_a_month_is_scored_with_its_own_version_and_changes_inside_it(kept, second_version):
    april = composite(kept, APRIL)
    inputs = current_inputs(kept, Settings(lake=kept.path))
    for month in (APRIL, MAY):
        derive_index(kept, [month], inputs)
    assert composite(kept, APRIL) == april
    assert rows(kept.path, "select distinct month, method_version from index.composite order by all") == [
        (APRIL.first, "m1"),
        (MAY.first, "m2"),
    ]
    under_m2 = score_month(kept, APRIL, inputs, parse_method(M2, name="m2")).composite
    then = dict(under_m2.select("city_id", "rank").iter_rows())
    under_m1 = dict(rows(kept.path, "select city_id, rank from index.composite where month = '2025-04-01'"))
    assert then != under_m1, "the versions must rank April differently, or this shows nothing"
    previous = dict(rows(kept.path, "select city_id, previous_rank from index.composite where month = '2025-05-01'"))
    assert previous == then


def test_a_lake_of_one_version_takes_the_second_beside_it(kept, second_version):
    """Its rows of raw.input_file were stored when a lake had one method only."""
    assert stored_methods(kept) == [("m1", 1)]
    current_inputs(kept, Settings(lake=kept.path))
    before = kept.snapshot()
    current_inputs(kept, Settings(lake=kept.path))
    assert stored_methods(kept) == [("m1", 1), ("m2", 1)]
    assert kept.snapshot() == before, "nothing changed, nothing is stored"


def test_a_month_reads_the_text_the_lake_has_of_its_version(kept, second_version):
    inputs = current_inputs(kept, Settings(lake=kept.path))
    (second_version / "m2.toml").write_text(M2.replace("release_share = 0.95", "release_share = 0.5"), encoding="utf-8")
    assert inputs.method_of(MAY).experts.release_share == 0.95
    assert kept_inputs(kept, Settings(lake=kept.path)).method_of(MAY).experts.release_share == 0.95
    assert current_inputs(kept, Settings(lake=kept.path)).method_of(MAY).experts.release_share == 0.5


def test_another_version_does_not_move_what_an_edition_says_of_its_inputs(kept, second_version):
    settings = Settings(lake=kept.path, method="m1")
    before = report_input(kept, APRIL, current_inputs(kept, settings)).snapshot
    inputs = current_inputs(kept, Settings(lake=kept.path))
    assert report_input(kept, APRIL, inputs).snapshot == before
    may = report_input(kept, MAY, inputs)
    assert (may.method.version, may.snapshot > before) == ("m2", True)


def test_a_method_of_ones_own_stands_for_every_month(kept, second_version, tmp_path):
    own = tmp_path / "own.toml"
    own.write_text(M2.replace('"m2"', '"own"'), encoding="utf-8")
    inputs = current_inputs(kept, Settings(lake=kept.path, method=str(own)))
    assert {inputs.method_of(month).version for month in (APRIL, MAY)} == {"own"}
    assert stored_methods(kept) == [(str(own), 1), ("m1", 1)]


def test_a_version_that_cannot_be_used_stores_nothing(kept, second_version):
    (second_version / "m2.toml").write_text(M2.replace("draws = 1000", "draws = 0"), encoding="utf-8")
    before = kept.snapshot()
    with pytest.raises(MethodError, match=r"months.toml: m2.toml: uncertainty.draws"):
        current_inputs(kept, Settings(lake=kept.path))
    assert kept.snapshot() == before


def test_who_only_looks_is_told_of_a_version_the_lake_has_not_got(kept, second_version):
    with pytest.raises(LakeError, match="no input file of kind 'method' and name 'm2'"):
        kept_inputs(kept, Settings(lake=kept.path)).method_of(MAY)
