"""`smi method`: what a methodologist asks before a parameter is changed, from files and a real lake."""

import shutil
import tomllib

import polars as pl
import pytest
from smi import rows, smi

from smi_pipeline.index.method import method_text
from smi_pipeline.lake.connection import Lake

WIDE = {"COLUMNS": "220"}


@pytest.fixture
def lake_path(whole):
    """April and May 2025 of the sample, scored; tests only read it."""
    return whole


def written(folder, *replaced, name="mine"):
    text = method_text("m1").replace('version = "m1"', f'version = "{name}"')
    for old, new in replaced:
        assert old in text
        text = text.replace(old, new)
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


HEAVIER = (
    ("[groups.interactive]\nweight = 0.40", "[groups.interactive]\nweight = 0.05"),
    ("[groups.utilize]\nweight = 0.40", "[groups.utilize]\nweight = 0.75"),
)


def test_the_list_names_each_version_with_its_months_and_a_setting_that_overrides_them():
    done = smi("method", "list", measured=True, SMI_METHOD="/own.toml", **WIDE)
    assert done.returncode == 0, done.stderr
    [line] = [line for line in done.stdout.splitlines() if "m1" in line]
    assert "the first" in line
    assert "SMI_METHOD is set: /own.toml for every month" in done.stdout


def test_the_bundled_versions_and_their_months_are_found_well_formed():
    done = smi("method", "check", measured=True, **WIDE)
    assert done.returncode == 0, done.stderr
    assert "version m1, Asia/Shanghai" in done.stdout
    assert "[5000, 5000000]" in done.stdout


def test_every_mistake_of_a_file_is_named_with_its_key(tmp_path):
    path = written(tmp_path, ("raters = 3 ", "raters = 0 "), ("decimals = 6", "decimals = 99\nfurther = 1"))
    done = smi("method", "check", path, measured=True, **WIDE)
    assert done.returncode == 1
    told = done.stderr.splitlines()
    assert [line.removeprefix(f"{path}: ").split(":")[0] for line in told] == [
        "experts.raters",
        "ranks.decimals",
        "ranks.further",
    ]


def test_a_file_that_calls_itself_like_a_published_version_needs_its_numbers(tmp_path):
    other = written(tmp_path, ("posts = [0, 200]", "posts = [0, 500]"), name="m1")
    done = smi("method", "check", other, measured=True)
    assert done.returncode == 1
    assert "'m1' has other numbers already; give this one a new name" in done.stderr
    words = written(tmp_path, ("What a city publishes counts a fifth", "Publishing counts a fifth"), name="m1")
    assert smi("method", "check", words).returncode == 0


@pytest.mark.parametrize(
    "arguments", [("check", "m9"), ("diff", "m1", "nowhere.toml"), ("calibrate", "--method", "m9")]
)
def test_a_method_that_is_not_there_is_one_clear_line(arguments):
    done = smi("method", *arguments)
    assert done.returncode == 1
    [line] = done.stderr.strip().splitlines()
    assert "m9" in line or "nowhere.toml: the method file cannot be read" in line


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("diff", "m1", "m1", "--month", "May"), "a month is written YYYY-MM"),
        (("diff", "m1", "m1", "--csv", "x.csv"), "give --month, too"),
        (("calibrate", "--platform", "myspace"), "no platform 'myspace'"),
        (("calibrate", "--from", "2025-05", "--to", "2025-04"), "before it begins"),
    ],
)
def test_wrong_usage_says_what_was_expected(lake_path, arguments, told):
    done = smi("--lake", lake_path, "method", *arguments, **WIDE)
    assert done.returncode == 2
    assert told in done.stderr


def test_a_month_without_metrics_and_a_lake_without_any_say_what_to_run(lake_path, tmp_path):
    done = smi("--lake", lake_path, "method", "diff", "m1", "m1", "--month", "2025-02")
    assert (done.returncode, "run `smi run 2025-02 --to metrics`" in done.stderr) == (1, True)
    for arguments in (("diff", "m1", "m1", "--month", "2025-05"), ("calibrate",)):
        done = smi("--lake", tmp_path / "lake", "method", *arguments)
        assert (done.returncode, "there is no lake" in done.stderr) == (1, True)
    with Lake.of(tmp_path / "empty").write("nothing"):
        pass
    done = smi("--lake", tmp_path / "empty", "method", "calibrate")
    assert (done.returncode, "no month has metrics" in done.stderr) == (1, True)


def test_two_methods_differ_in_the_parameters_that_were_changed(tmp_path):
    done = smi("method", "diff", "m1", written(tmp_path, *HEAVIER), **WIDE)
    assert done.returncode == 0, done.stderr
    cells = [[cell.strip() for cell in line.split("│")[1:4]] for line in done.stdout.splitlines() if "│" in line]
    assert cells == [
        ["version", "m1", "mine"],
        ["groups.interactive.weight", "0.4", "0.05"],
        ["groups.utilize.weight", "0.4", "0.75"],
    ]


def test_the_same_method_twice_moves_nobody_and_gives_the_stored_ranking(lake_path, tmp_path):
    csv = tmp_path / "both.csv"
    done = smi("--lake", lake_path, "method", "diff", "m1", "m1", "--month", "2025-05", "--csv", csv, measured=True)
    assert done.returncode == 0, done.stderr
    assert "m1 and m1 have the same numbers" in done.stdout
    assert "0 of 10 cities change their rank" in done.stdout
    got = pl.read_csv(csv, schema_overrides={"city_id": pl.String}).sort("city_id")
    stored = rows(lake_path, "select city_id, rank, score from index.composite where month = '2025-05-01' order by all")
    assert got.select("city_id", "rank_a", "score_a").rows() == stored
    assert got.select("city_id", "rank_b", "score_b").rows() == stored


def test_another_weight_moves_ranks_as_the_stored_platform_scores_say(lake_path, tmp_path):
    """Worked out anew from the stored points: a tree whose effect is nearly all Utilize."""
    csv = tmp_path / "both.csv"
    before = Lake.of(lake_path).snapshot()
    mine = written(tmp_path, *HEAVIER)
    done = smi(
        "--lake", lake_path, "method", "diff", "m1", mine, "--month", "2025-05", "--csv", csv, measured=True, **WIDE
    )
    assert done.returncode == 0, done.stderr
    got = pl.read_csv(csv, schema_overrides={"city_id": pl.String})
    assert set(got["method_a"]) == {"m1"}
    assert set(got["method_b"]) == {"mine"}
    assert Lake.of(lake_path).snapshot() == before, "nothing is stored"
    factor = "case when indicator in ('posts', 'videos') then 1 when indicator in ('interactions', 'engagement_rate') then 0.05 / 0.4 else 0.75 / 0.4 end"
    expected = dict(
        rows(
            lake_path,
            f"select city_id, sum(contribution * {factor}) from index.contribution"
            " where month = '2025-05-01' group by city_id",
        )
    )
    for row in got.iter_rows(named=True):
        assert row["score_b"] == pytest.approx(expected[row["city_id"]])
        assert row["rank_b"] == 1 + sum(score > expected[row["city_id"]] + 1e-6 for score in expected.values())
        assert row["rank_change"] == row["rank_a"] - row["rank_b"]
    moved = [change for change in got["rank_change"] if change]
    assert moved
    assert got["rank_change"].abs().is_sorted(descending=True)
    assert f"{len(moved)} of 10 cities change their rank, by {max(map(abs, moved))} at most" in done.stdout


def test_methods_that_count_differently_are_compared_with_a_warning(lake_path, tmp_path):
    mine = written(tmp_path, ("include_reposts = false", "include_reposts = true"))
    done = smi("--lake", lake_path, "method", "diff", "m1", mine, "--month", "2025-05")
    assert done.returncode == 0
    assert "include_reposts differs: it decides what is counted" in done.stderr


def test_calibrated_goalposts_can_be_pasted_and_follow_from_the_lakes_figures(lake_path, tmp_path):
    done = smi("--lake", lake_path, "method", "calibrate", "--platform", "x", "--platform", "youtube", measured=True)
    assert done.returncode == 0, done.stderr
    got = tomllib.loads(done.stdout)["goalposts"]
    assert set(got) == {"x", "youtube"}
    views = [v for (v,) in rows(lake_path, "select views from metrics.city_platform_month where platform = 'youtube'")]
    low, high = got["youtube"]["views"]
    assert low == 0
    assert max(views) <= high <= 2.5 * max(views)
    [[quantile]] = rows(
        lake_path,
        "select quantile_cont(followers, 0.05) from metrics.city_platform_month where platform = 'x' and posts > 0",
    )
    assert got["x"]["followers"][0] <= quantile < 2.5 * got["x"]["followers"][0]
    assert "# m1: [0, 200]" in done.stdout
    text = method_text("m1").replace('version = "m1"', 'version = "m2"')
    for platform in got:
        start = text.index(f"[goalposts.{platform}]")
        ends = [at for at in (text.find("\n[", start + 1), text.find("\n# ", start + 1)) if at > 0]
        text = text[:start] + text[min(ends) :]
    (tmp_path / "m2.toml").write_text(text + "\n" + done.stdout, encoding="utf-8")
    assert smi("method", "check", tmp_path / "m2.toml").returncode == 0


def test_too_short_a_baseline_is_called_preliminary(lake_path):
    done = smi(
        "--lake", lake_path, "method", "calibrate", "--from", "2025-05", "--to", "2025-05", "--platform", "tiktok"
    )
    assert done.returncode == 0
    assert "# baseline 2025-05 .. 2025-05: the lake has 1 of 1 months, the rule wants 12" in done.stdout
    assert "[goalposts.tiktok]  # months: 1, cities: 2\n# PRELIMINARY: fewer than 3 months" in done.stdout
    assert done.stderr == "tiktok: 1 of at least 3 months: preliminary\n"


def test_a_platform_nobody_was_measured_on_gets_no_goalposts_rather_than_zeros(lake_path, tmp_path):
    path = tmp_path / "lake"
    shutil.copytree(lake_path, path)
    with Lake.of(path).write("no TikTok") as transaction:
        transaction.cursor.execute("delete from metrics.city_platform_month where platform = 'tiktok'")
    done = smi("--lake", path, "method", "calibrate", "--platform", "tiktok")
    assert done.returncode == 0
    assert tomllib.loads(done.stdout) == {"goalposts": {"tiktok": {}}}
    assert "# views: no goalposts follow from 0 figures (not reported); m1: [0, 2000000]" in done.stdout
