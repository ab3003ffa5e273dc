"""An edit of the registry must never rewrite the past by itself, and never be forgotten either."""

import shutil

import dagster as dg
import pytest
from smi import SAMPLE

from smi_pipeline.definitions import defs
from smi_pipeline.defs.derive import derive_index
from smi_pipeline.defs.inputs import current_inputs
from smi_pipeline.defs.preview import INPUTS
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.notices import open_notices
from smi_pipeline.months import Month
from smi_pipeline.settings import settings


@pytest.fixture
def lake(whole, tmp_path, monkeypatch):
    """April and May 2025 scored, with the history of their runs, and a registry folder to edit."""
    shutil.copytree(whole, tmp_path / "lake")
    shutil.copytree(SAMPLE / "registry", tmp_path / "registry")
    monkeypatch.setenv("SMI_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("SMI_REGISTRY", str(tmp_path / "registry"))
    settings.cache_clear()
    yield Lake.of(tmp_path / "lake")
    settings.cache_clear()


@pytest.fixture
def instance(lake):
    with dg.DagsterInstance.from_config(str(lake.path / ".dagster")) as one:
        yield one


@pytest.fixture
def tick(lake, instance):
    repository = defs().get_repository_def()

    def one(cursor=None):
        context = dg.build_sensor_context(
            instance=instance, repository_def=repository, cursor=cursor, resources={"lake": lake}
        )
        result = repository.get_sensor_def("edited_inputs").evaluate_tick(context)
        one.cursor = result.cursor
        return result.run_requests or [], result.skip_message

    return one


def edit(tmp_path, name, before, after):
    file = tmp_path / "registry" / name
    text = file.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after), encoding="utf-8")


def test_files_that_are_as_they_were_ask_for_nothing(tick, lake):
    assert tick() == ([], "every scored month has seen the files as they are")
    assert open_notices(lake) == []


def test_what_was_looked_at_is_not_looked_at_again_until_it_is_edited(tick, tmp_path):
    tick()
    assert tick(tick.cursor) == ([], "nothing was edited or derived since the last look")
    edit(tmp_path, "cities.csv", "Nanjing", "Nanking")
    assert tick(tick.cursor) == ([], "2025-04: cities; 2025-05: cities")


def test_an_edit_proposes_exactly_the_months_it_reaches_once_and_starts_nothing(tick, lake, instance, tmp_path):
    edit(
        tmp_path,
        "accounts.csv",
        "sbx_nanjing,999990000000000101,main,true,2024-01-01,",
        "sbx_nanjing,999990000000000101,main,true,2024-01-01,2025-05-15",
    )
    before = lake.snapshot()
    assert tick() == ([], "2025-05: accounts")
    tick()
    [notice] = open_notices(lake)
    assert (notice.kind, notice.title) == ("proposal", "edited input files reach 1 months, 2025-05 to 2025-05")
    assert lake.snapshot() == before
    observed = instance.fetch_observations(dg.AssetKey(["report", "edition"]), limit=10).records
    assert [(one.partition_key, one.asset_observation.metadata["edited since"].value) for one in observed] == [
        ("2025-05", "accounts")
    ]


def test_an_edit_that_is_taken_back_settles_its_proposal(tick, lake, tmp_path):
    edit(tmp_path, "cities.csv", "Nanjing", "Nanking")
    assert tick() == ([], "2025-04: cities; 2025-05: cities")
    edit(tmp_path, "cities.csv", "Nanking", "Nanjing")
    tick()
    assert open_notices(lake) == []


def test_a_month_that_was_derived_again_is_settled(tick, lake, instance, tmp_path):
    edit(tmp_path, "cities.csv", "Nanjing", "Nanking")
    tick()
    inputs = current_inputs(lake, settings())
    for month in map(Month.parse, ("2025-04", "2025-05")):
        derive_index(lake, [month], inputs)
        seen = {INPUTS: dg.MetadataValue.json(dict(inputs.visible(month)))}
        made = dg.AssetMaterialization(["index", "composite"], partition=month.key, metadata=seen)
        instance.report_runless_asset_event(made)
    assert tick() == ([], "every scored month has seen the files as they are")
    assert open_notices(lake) == []


def test_the_newest_month_follows_its_files_by_itself(tick, lake, tmp_path, monkeypatch):
    monkeypatch.setattr("smi_pipeline.defs.changes.MONTHS", dg.StaticPartitionsDefinition(["2025-04", "2025-05"]))
    edit(tmp_path, "cities.csv", "Nanjing", "Nanking")
    [request], _ = tick()
    [again], _ = tick()
    assert (request.partition_key, request.tags["smi/month"]) == ("2025-05", "2025-05")
    assert again.run_key == request.run_key
    assert [notice.title for notice in open_notices(lake)] == ["edited input files reach 1 months, 2025-04 to 2025-04"]


def test_a_file_that_is_not_usable_is_told_with_its_line(tick, lake, tmp_path):
    edit(tmp_path, "accounts.csv", "999990000000000101,main,true", "999990000000000101,main,maybe")
    requests, said = tick()
    assert requests == []
    assert "accounts.csv" in said
    [notice] = open_notices(lake)
    assert "maybe" in notice.text
    edit(tmp_path, "accounts.csv", "main,maybe", "main,true")
    tick()
    assert open_notices(lake) == []
