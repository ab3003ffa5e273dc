"""A round of expert scores as its coordinator lives it: a file refused, accepted, revised, and what the lake says then."""

import shutil

import polars as pl
import pytest
from smi import SAMPLE, rows, smi, smi_each

from smi_pipeline.defs.derive import derive_index
from smi_pipeline.defs.inputs import current_inputs
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.frames import read_frame
from smi_pipeline.months import Month
from smi_pipeline.registry.load import RegistryError, read_registry
from smi_pipeline.settings import Settings

MAY = Month.parse("2025-05")
CITIES = [city.city_id for city in read_registry(SAMPLE / "registry").cities]
HEAD = "rater,city_id,criterion,score\n"


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    """A lake with May 2025 of the sample and no expert scores; each test works on its own copy."""
    path = tmp_path_factory.mktemp("experts") / "lake"
    smi_each([("run", "2025-05", "--to", "index", "--sandbox", SAMPLE, "--lake", path)])
    return path


@pytest.fixture
def may(collected, tmp_path):
    shutil.copytree(collected, tmp_path / "lake")
    return Lake.of(tmp_path / "lake")


def written(raters=3, *, apart=0.0):
    """Cities a point apart from 1 to 10; each rater `apart` more than the one before, within the scale."""
    scores = ((n, city, min(10, 1 + place + n * apart)) for place, city in enumerate(CITIES) for n in range(raters))
    return HEAD + "".join(f"R{number},{city},overall,{score:g}\n" for number, city, score in scores)


def hand_in(lake, text, month="2025-05"):
    folder = lake.path / "inbox" / "expert_scores"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{month}.csv").write_text(text, encoding="utf-8")


def derive(lake):
    derive_index(lake, [MAY], current_inputs(lake, Settings(lake=lake.path)))
    with lake.read() as cursor:
        [agreement] = read_frame(cursor, "from index.expert_agreement").to_dicts()
        return agreement, read_frame(cursor, "from index.composite"), read_frame(cursor, "from index.expert_city")


def stored(lake):
    return rows(lake.path, "select text from raw.input_file where kind = 'expert_scores' order by loaded_at")


def test_a_month_without_scores_says_that_none_are_there(may):
    agreement, composite, cities = derive(may)
    assert (agreement["released"], agreement["flags"], agreement["vintage"]) == (False, ["no_ratings"], None)
    assert composite["status"].unique().to_list() == ["provisional"]
    assert cities["flags"].to_list() == [["no_expert_score"]] * len(CITIES)


def test_a_file_with_mistakes_is_refused_whole_and_nothing_of_it_is_stored(may):
    """One line each; the month that is right waits until the other one is too."""
    hand_in(may, written(), "2025-04")
    hand_in(may, written() + "R0,000000,overall,5\n,320100,overall,5\nR9,320100,overall,12\nR0,320100,overall,5\n")
    before = may.snapshot()
    with pytest.raises(RegistryError) as refused:
        current_inputs(may, Settings(lake=may.path))
    where = f"{may.path / 'inbox' / 'expert_scores' / '2025-05.csv'} line"
    assert refused.value.problems == [
        f"{where} 32, column city_id: no city '000000' is monitored in this month",
        f"{where} 33, column rater: Field required; got nothing",
        f"{where} 34, column score: expected 1 to 10; got '12'",
        f"{where} 35, column rater: 'R0' scores overall of 320100 on line 2 already",
    ]
    assert may.snapshot() == before
    assert stored(may) == []


def test_mistakes_of_several_files_are_told_together(may):
    for month in ("2025-04", "2025-05"):
        hand_in(may, HEAD + "R0,000000,overall,5\n", month)
    with pytest.raises(RegistryError) as refused:
        current_inputs(may, Settings(lake=may.path))
    assert [problem.split("/")[-1].split(" ")[0] for problem in refused.value.problems] == [
        "2025-04.csv",
        "2025-05.csv",
    ]


def test_the_command_line_names_the_line_and_fails(may):
    hand_in(may, HEAD + "R0,000000,overall,5\n")
    done = smi("--lake", may.path, "run", "2025-05", "--to", "index", "--sandbox", SAMPLE)
    assert done.returncode == 1
    assert "2025-05.csv line 2, column city_id: no city '000000' is monitored" in " ".join(done.stderr.split())


def test_a_revised_file_is_a_second_vintage_and_the_first_text_stays(may):
    first, second = written(), written(apart=0.25)
    hand_in(may, first)
    agreement, composite, _ = derive(may)
    assert (agreement["vintage"], agreement["released"], agreement["alpha"]) == (1, True, 1.0)
    assert composite["status"].unique().to_list() == ["final"]
    score = dict(composite.select("city_id", "qualitative").iter_rows())
    assert score[CITIES[0]] == 0

    hand_in(may, second)
    revised, composite, _ = derive(may)
    assert (revised["vintage"], revised["released"]) == (2, True)
    assert revised["loaded_at"] > agreement["loaded_at"]
    assert revised["file_sha256"] != agreement["file_sha256"]
    assert dict(composite.select("city_id", "qualitative").iter_rows())[CITIES[0]] == pytest.approx(100 * 0.25 / 9)
    assert [text for (text,) in stored(may)] == [first, second]
    kept = rows(may.path, "select sha256 from raw.input_file where kind = 'expert_scores' order by loaded_at")
    assert [sha256[:12] for (sha256,) in kept] == [agreement["file_sha256"], revised["file_sha256"]]


def test_deriving_again_from_the_same_file_commits_nothing(may):
    hand_in(may, written())
    derive(may)
    before = may.snapshot()
    assert derive(may)[0]["vintage"] == 1
    assert may.snapshot() == before


def test_raters_who_contradict_each_other_leave_the_month_provisional_and_name_the_cities(may):
    """Three raters, the third turned round: at the ends 1, 1, 10 deviate by 9 / sqrt(3) = 5.2 points."""
    turned = "".join(f"R9,{city},overall,{10 - place}\n" for place, city in enumerate(CITIES))
    hand_in(may, written(raters=2) + turned)
    agreement, composite, cities = derive(may)
    assert (agreement["released"], agreement["flags"]) == (False, ["low_alpha"])
    assert "expected 0.667 or more" in agreement["reason"]
    assert composite["qualitative"].null_count() == len(CITIES)
    # |2 * place - 9| / sqrt(3) > 2.5 for the first three and the last three of ten
    expected = sorted([*CITIES[:3], *CITIES[-3:]])
    for frame in (composite, cities):
        flagged = frame.filter(pl.col("flags").list.contains("rerate"))["city_id"]
        assert sorted(flagged) == expected


def test_a_data_sets_scores_are_offered_for_the_cities_of_the_registry_in_use(tmp_path):
    """A smaller registry over the same data set must not fail on ratings of cities it leaves out."""
    dataset = shutil.copytree(SAMPLE, tmp_path / "dataset")
    (dataset / "expert_scores").mkdir()
    (dataset / "expert_scores" / "2025-05.csv").write_text(written(), encoding="utf-8")
    registry = shutil.copytree(dataset / "registry", tmp_path / "registry")
    for name in ("cities.csv", "accounts.csv"):
        lines = (registry / name).read_text(encoding="utf-8").splitlines(keepends=True)
        (registry / name).write_text(
            "".join(line for line in lines if not line.startswith("320500,")), encoding="utf-8"
        )
    path = tmp_path / "lake"
    run = ("run", "2025-05", "--to", "index", "--platform", "youtube", "--sandbox", dataset)
    smi_each([("--lake", path, "--registry", registry, *run)])
    [(text,)] = stored(Lake.of(path))
    assert text == "".join(line for line in written().splitlines(keepends=True) if ",320500," not in line)
    assert rows(path, "select rated_cities from index.expert_agreement") == [(9,)]


def test_a_city_that_leaves_the_registry_later_does_not_undo_a_stored_file(may, tmp_path):
    hand_in(may, written())
    derive(may)
    registry = shutil.copytree(SAMPLE / "registry", tmp_path / "registry")
    kept = (
        (registry / "cities.csv")
        .read_text(encoding="utf-8")
        .replace("苏州,Suzhou,江苏,2024-01-01,", "苏州,Suzhou,江苏,2024-01-01,2025-01-01")
    )
    (registry / "cities.csv").write_text(kept, encoding="utf-8")
    inputs = current_inputs(may, Settings(lake=may.path, registry=registry))
    derive_index(may, [MAY], inputs)
    [(cities, rated)] = rows(may.path, "select cities, rated_cities from index.expert_agreement")
    assert (cities, rated) == (9, 9)
    hand_in(may, written(apart=0.25))
    with pytest.raises(RegistryError, match="no city '320500' is monitored in this month"):
        current_inputs(may, Settings(lake=may.path, registry=registry))
