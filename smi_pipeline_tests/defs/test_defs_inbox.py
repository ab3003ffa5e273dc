"""Whoever drops a file is told whether it was taken; nothing is read half, twice, or by mistake."""

import shutil

import dagster as dg
import pytest
from smi import SAMPLE

from smi_pipeline.definitions import defs
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.notices import open_notices, told
from smi_pipeline.registry.load import read_registry
from smi_pipeline.settings import settings

CITIES = [city.city_id for city in read_registry(SAMPLE / "registry").cities]


def scores(*lines, raters=3):
    rows = [f"R{n},{city},overall,{1 + place}" for place, city in enumerate(CITIES) for n in range(raters)]
    return "\n".join(["rater,city_id,criterion,score", *rows, *lines, ""])


@pytest.fixture
def lake(whole, tmp_path, monkeypatch):
    shutil.copytree(whole, tmp_path / "lake")
    shutil.rmtree(tmp_path / "lake" / "inbox", ignore_errors=True)
    monkeypatch.setenv("SMI_LAKE", str(tmp_path / "lake"))
    settings.cache_clear()
    yield Lake.of(tmp_path / "lake")
    settings.cache_clear()


@pytest.fixture
def ticks(lake):
    """Ticks of a sensor, the cursor carried over as the daemon does; each gives the requests and what was said."""
    repository, cursors = defs().get_repository_def(), {}

    def tick(name):
        with dg.DagsterInstance.ephemeral() as instance:
            context = dg.build_sensor_context(
                instance=instance, repository_def=repository, cursor=cursors.get(name), resources={"lake": lake}
            )
            result = repository.get_sensor_def(name).evaluate_tick(context)
        cursors[name] = result.cursor
        return result.run_requests or [], result.skip_message or ""

    return tick


def drop(lake, text, name="2025-05.csv"):
    folder = lake.path / "inbox" / "expert_scores"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_expert_scores_have_their_month_derived_once(lake, ticks):
    drop(lake, scores())
    assert ticks("expert_scores") == ([], "2025-05.csv is new and looked at at the next tick")
    [request], _ = ticks("expert_scores")
    assert (request.partition_key, request.tags["smi/month"]) == ("2025-05", "2025-05")
    assert ticks("expert_scores") == ([], "nothing new")
    drop(lake, scores(raters=4))
    ticks("expert_scores")
    [again], _ = ticks("expert_scores")
    assert again.run_key != request.run_key
    assert again.partition_key == "2025-05"


def test_a_file_that_is_still_being_copied_is_left_alone(lake, ticks):
    for size in (100, 200, 300):
        drop(lake, scores()[:size])
        assert not ticks("expert_scores")[0]
    drop(lake, scores())
    ticks("expert_scores")
    assert len(ticks("expert_scores")[0]) == 1
    assert told(lake) == []


def test_a_bad_file_stands_aside_with_its_mistakes_and_is_told_until_a_good_one_comes(lake, ticks):
    folder = drop(lake, scores("R0,999999,overall,5", "R1,320100,overall,much"))
    ticks("expert_scores")
    requests, said = ticks("expert_scores")
    assert (requests, said) == ([], "2025-05.csv is put aside")
    assert not (folder / "2025-05.csv").exists()
    aside = sorted(path.name for path in (folder / "rejected").iterdir())
    assert [name.split(".", 2)[2] for name in aside] == ["csv", "error.txt"]
    mistakes = (folder / "rejected" / aside[1]).read_text()
    assert "999999" in mistakes
    assert "much" in mistakes
    [notice] = open_notices(lake)
    assert notice.title == "expert scores 2025-05.csv are not usable"
    assert mistakes.strip() in notice.text
    drop(lake, scores())
    ticks("expert_scores")
    assert len(ticks("expert_scores")[0]) == 1
    assert open_notices(lake) == []


@pytest.mark.parametrize("name", ["may.csv", "2025-13.csv"])
def test_a_file_that_is_not_called_like_a_month_blocks_nobody(lake, ticks, name):
    drop(lake, scores(), name)
    drop(lake, scores())
    ticks("expert_scores")
    [request], _ = ticks("expert_scores")
    assert request.partition_key == "2025-05"
    assert [notice.title for notice in open_notices(lake)] == [f"expert scores {name} are not usable"]


def test_scores_of_a_month_that_is_not_collected_wait_for_it(lake, ticks):
    drop(lake, scores(), "2025-06.csv")
    ticks("expert_scores")
    requests, said = ticks("expert_scores")
    assert requests == []
    assert "2025-06 is not collected yet" in said


@pytest.fixture
def vendor(lake, monkeypatch):
    monkeypatch.setenv("SMI_TIKTOK_SOURCE", "files")
    settings.cache_clear()
    folder = lake.path / "inbox" / "vendor"

    def put(period, text="platform,account_id\n"):
        (folder / period).mkdir(parents=True, exist_ok=True)
        (folder / period / "posts.csv").write_text(text)

    return put


def test_a_vendors_month_is_collected_for_the_platforms_that_come_from_files(ticks, vendor):
    ticks("vendor_files")
    vendor("2025-06")
    vendor("2025-06-03")
    vendor("notes")
    assert not ticks("vendor_files")[0]
    month, day = ticks("vendor_files")[0]
    assert (month.job_name, month.partition_key) == ("collect", "2025-06")
    assert month.asset_selection == [dg.AssetKey(["raw", "tiktok"])]
    assert (day.job_name, day.partition_key) == ("snapshots", "2025-06-03")
    assert day.asset_selection == [dg.AssetKey(["snapshots", "tiktok"])]
    checks = {check.to_user_string() for check in month.asset_check_keys}
    assert "raw/tiktok:accounts_answered" in checks
    assert "raw/tiktok:freshness_check" not in checks
    assert not ticks("vendor_files")[0]


def test_a_vendors_correction_is_a_collection_of_its_own(ticks, vendor):
    vendor("2025-05")  # that month is collected: what was there before the sensor was switched on is not new
    assert not ticks("vendor_files")[0]
    assert not ticks("vendor_files")[0]
    vendor("2025-05", "platform,account_id\ntiktok,1\n")
    ticks("vendor_files")
    [request], _ = ticks("vendor_files")
    assert request.run_config == {"ops": {"raw__tiktok": {"config": {"force": True}}}}


def test_nobody_looks_for_a_vendors_files_where_every_platform_is_asked(ticks):
    assert "no platform comes from files" in ticks("vendor_files")[1]
