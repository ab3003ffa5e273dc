"""Whoever drops a file is told whether it was taken; nothing is read half, twice, or by mistake."""

import os
import shutil

import dagster as dg
import pytest
from smi import SAMPLE

from smi_pipeline.definitions import defs
from smi_pipeline.defs.inputs import current_inputs
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.notices import open_notices, told
from smi_pipeline.registry.load import RegistryError, read_registry
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


@pytest.mark.parametrize(
    "name",
    [
        "2025-05.CSV",
        "2025-05.csv.txt",
        "２０２５-05.csv",
        "2025-5.csv",
        "2025_05.csv",
        "2025-05 (1).csv",
        "2025年5月.xlsx",
    ],
)
def test_expert_scores_under_another_spelling_of_their_name_are_named_and_put_aside(lake, ticks, name):
    folder = drop(lake, scores(), name)
    with pytest.raises(RegistryError) as refused:
        current_inputs(lake, settings())
    assert f"{folder / name}: expected a file called by its month, like 2025-05.csv; this is another name" in str(
        refused.value
    )
    ticks("expert_scores")
    assert ticks("expert_scores") == ([], f"{name} is put aside")
    assert [notice.title for notice in open_notices(lake)] == [f"expert scores {name} are not usable"]
    current_inputs(lake, settings())


def test_what_is_no_file_where_scores_or_texts_are_expected_is_named_and_nobody_waits_for_a_pipe(lake):
    inbox = lake.path / "inbox"
    (inbox / "expert_scores" / "2025-05.csv").mkdir(parents=True)
    (inbox / "editorial").mkdir()
    with pytest.raises(RegistryError, match=r"2025-05\.csv: expected a file .* this is a folder"):
        current_inputs(lake, settings())
    (inbox / "expert_scores" / "2025-05.csv").rmdir()
    (inbox / "editorial" / "2025-05.en.md").mkdir()
    with pytest.raises(RegistryError, match=r"2025-05\.en\.md: expected a file; this is a folder"):
        current_inputs(lake, settings())
    (inbox / "editorial" / "2025-05.en.md").rmdir()
    os.mkfifo(inbox / "expert_scores" / "2025-05.csv")
    with pytest.raises(RegistryError, match=r"2025-05\.csv: expected a file; this is neither a file nor a folder"):
        current_inputs(lake, settings())


@pytest.mark.parametrize(
    "name", ["2025-05.zh.MD", "2025-05.zh.md.txt", "２０２５-05.zh.md", "2025-5.zh.md", "2025-05.zh.docx"]
)
def test_an_editors_text_under_another_spelling_of_its_name_is_named(lake, name):
    path = lake.path / "inbox" / "editorial" / name
    path.parent.mkdir(parents=True)
    path.write_text("Reviewer: R\n", encoding="utf-8")
    with pytest.raises(RegistryError) as refused:
        current_inputs(lake, settings())
    assert str(refused.value).startswith(
        f"{path}: expected a name like 2025-05.zh.md or 2025-05.en.md; this is another"
    )


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("2025-05.csv", "expected a month's file in expert_scores or editorial or vendor; this is another name"),
        ("Expert-Scores/2025-05.csv", "expected a folder called expert_scores; this is a folder"),
        ("editorials/2025-05.zh.md", "expected a folder called editorial; this is a folder"),
    ],
)
def test_what_lies_beside_the_folders_of_the_inbox_is_named(lake, entry, said):
    path = lake.path / "inbox" / entry
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("", encoding="utf-8")
    with pytest.raises(RegistryError) as refused:
        current_inputs(lake, settings())
    assert f"{lake.path / 'inbox' / entry.partition('/')[0]}: {said}" in str(refused.value)


def test_what_systems_leave_in_a_folder_and_what_is_put_aside_is_nobodys_mistake(lake):
    inbox = lake.path / "inbox"
    for name in (
        "expert_scores/.DS_Store",
        "expert_scores/rejected/2025-5.csv",
        "editorial/.2025-05.zh.md.swp",
        "notes.txt",
    ):
        (inbox / name).parent.mkdir(parents=True, exist_ok=True)
        (inbox / name).write_text("", encoding="utf-8")
    current_inputs(lake, settings())


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


@pytest.mark.parametrize("name", ["2025-5", "2025_05", "２０２５-05", "20250531", "2025-05 (1)"])
def test_a_vendors_folder_under_another_spelling_of_its_month_is_named_once_until_it_is_gone(ticks, vendor, lake, name):
    vendor(name)
    for _ in range(2):
        requests, said = ticks("vendor_files")
        assert requests == []
        assert f"{lake.path / 'inbox' / 'vendor' / name}: expected a folder called by its month or day" in said
    assert [notice.title for notice in told(lake)] == [f"vendor's {name} is not read"]
    shutil.rmtree(lake.path / "inbox" / "vendor" / name)
    ticks("vendor_files")
    assert open_notices(lake) == []


def test_a_file_where_a_vendors_folder_is_expected_is_named(ticks, vendor, lake):
    vendor("2025-06")
    (lake.path / "inbox" / "vendor" / "posts.csv").write_text("")
    (lake.path / "inbox" / "vendor" / "2025-07").write_text("")
    ticks("vendor_files")
    assert len(ticks("vendor_files")[0]) == 1
    assert sorted(notice.title for notice in open_notices(lake)) == [
        "vendor's 2025-07 is not read",
        "vendor's posts.csv is not read",
    ]


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
