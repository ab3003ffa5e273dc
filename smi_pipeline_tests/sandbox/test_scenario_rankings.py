"""The written scenario, read as files and computed by the pipeline, gives what was printed; for three seeds.

Nothing of the generator is used but the directory it writes. Posts are added up here as the final cut shows them.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
import yaml
from smi import PROJECT, environment

from smi_pipeline.index.calibration import calibrate
from smi_pipeline.index.edition import edition
from smi_pipeline.index.method import load_method
from smi_pipeline.lake.inputs import accounts_frame, cities_frame, weight_inputs_frame
from smi_pipeline.metrics.account_month import account_month
from smi_pipeline.metrics.city_month import city_platform_month
from smi_pipeline.months import Month
from smi_pipeline.registry.load import parse_weight_inputs, read_registry

ZONE = ZoneInfo("Asia/Shanghai")
PLATFORMS = ("facebook", "x", "instagram", "youtube", "tiktok")
COUNTS = ("likes", "comments", "shares", "views")
SEEDS = (2025, 7, 424242)


# What each API reports of a post: the files have shares of a few posts on Instagram, which its API does not show.
REPORTED = dict.fromkeys(("facebook", "x", "tiktok"), ("likes", "comments", "shares"))
REPORTED |= dict.fromkeys(("instagram", "youtube"), ("likes", "comments"))


def _with_complete(posts: pl.DataFrame) -> pl.DataFrame:
    """Posts with `complete`: every count is there that their platform's API reports."""
    has = [
        pl.col(count).is_not_null()
        | ~pl.col("platform").is_in([platform for platform, counts in REPORTED.items() if count in counts])
        for count in ("likes", "comments", "shares")
    ]
    return posts.with_columns(complete=pl.all_horizontal(has))


class Computed:
    """A scenario's directory, and the pipeline's editions of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        registry = read_registry(folder / "registry")
        text = (folder / "registry" / "platform_inputs.csv").read_text(encoding="utf-8")
        self.cities, self.accounts = cities_frame(registry.cities), accounts_frame(registry.accounts)
        # Where an API knows an account by its handle alone, so does the data set.
        self.accounts = self.accounts.with_columns(account_id=pl.coalesce("account_id", "handle"))
        self.weights = weight_inputs_frame(parse_weight_inputs(text, "platform_inputs.csv"))
        self.names = {city.city_id: city.name_zh for city in registry.cities}
        self.posts = self._posts()
        self.followers = self._read("followers").with_columns(
            pl.col("followers").cast(pl.Int64), pl.col("observed_at").str.to_datetime(time_unit="us", time_zone="UTC")
        )
        self._metrics: dict[Month, pl.DataFrame] = {}

    def _read(self, name: str) -> pl.DataFrame:
        return pl.read_csv((self.folder / f"{name}.csv").read_bytes(), infer_schema=False)

    def _posts(self) -> pl.DataFrame:
        """The posts that are there on the 10th, with the counts of that day."""
        numbers = [pl.col(count).cast(pl.Int64) for count in COUNTS]
        later = self._read("snapshots").with_columns(numbers).select("platform", "post_id", *COUNTS)
        posts = self._read("posts").filter(pl.col("deleted_at").is_null()).with_columns(numbers)
        merged = posts.join(later, on=("platform", "post_id"), how="left", suffix="_later")
        at = pl.col("created_at").str.to_datetime(time_zone="UTC").dt.convert_time_zone("Asia/Shanghai")
        seen = merged.join(
            later.select("platform", "post_id", seen=pl.lit(value=True)), on=("platform", "post_id"), how="left"
        )
        return seen.with_columns(
            *(pl.when("seen").then(f"{count}_later").otherwise(count).alias(count) for count in COUNTS),
            month=at.dt.strftime("%Y-%m"),
            is_video=pl.col("kind").is_in(["video", "short"]) | pl.col("platform").is_in(["youtube", "tiktok"]),
            is_repost=pl.col("kind") == "repost",
        )

    def account_months(self, month: Month) -> pl.DataFrame:
        of_month = _with_complete(self.posts.filter(month=month.key))
        total = [pl.when(pl.col(c).count() > 0).then(pl.col(c).sum()).alias(c) for c in ("likes", "comments", "shares")]
        sums = of_month.group_by("platform", "account_id", "is_repost").agg(
            pl.len().alias("posts"),
            pl.col("is_video").sum().alias("videos"),
            *total,
            pl.col("views").filter("is_video").sum().alias("views"),
            pl.col("complete").sum().alias("complete_posts"),
            (pl.col("complete") & pl.col("is_video")).sum().alias("complete_videos"),
            *(pl.col(c).filter("complete").sum().alias(f"complete_{c}") for c in ("likes", "comments", "shares")),
            pl.col("is_video").sum().alias("viewed_videos"),  # the scenario's videos hide no views
            pl.lit(0).alias("likes_above_views"),
        )
        valid = self.accounts.filter(
            (pl.col("valid_from") < month.next.first)
            & (pl.col("valid_to").is_null() | (pl.col("valid_to") > month.first))
        )
        gone = (pl.col("handle") == "sbx_liaocheng") & (pl.col("platform") == "x") & pl.lit(month.key >= "2025-05")
        asked = valid.select(
            "platform",
            "account_id",
            outcome=pl.when(gone).then(pl.lit("suspended")).otherwise(pl.lit("answered")),
            collection_id=pl.lit("k"),
        )
        known = asked.filter(outcome="answered").select("platform", "account_id")
        # An account is first asked for its first month: what it showed before nobody saw.
        began = valid.select("platform", "account_id", "valid_from")
        cut = pl.lit(datetime(2024, 6, 1, tzinfo=UTC)).cast(pl.Datetime("us", "UTC"))
        seen = self.followers.join(began, on=("platform", "account_id")).filter(
            (pl.col("observed_at") >= cut) & (pl.col("observed_at").dt.date() > pl.col("valid_from"))
        )
        return account_month(
            asked=asked,
            sums=sums.join(known, on=("platform", "account_id")),
            rejects=pl.DataFrame(
                schema={"platform": pl.String, "account_id": pl.String, "bad_counts": pl.Int64, "malformed": pl.Int64}
            ),
            observations=seen.with_columns(collection_id=pl.lit("k")),
            accounts=self.accounts,
            month=month,
            zone=ZONE,
            include_reposts=False,
        )

    def metrics(self, month: Month) -> pl.DataFrame:
        if month not in self._metrics:
            self._metrics[month] = city_platform_month(self.account_months(month), self.accounts, month=month)
        return self._metrics[month]

    def experts(self, month: Month) -> pl.DataFrame | None:
        path = self.folder / "expert_scores" / f"{month}.csv"
        if not path.is_file():
            return None
        return pl.read_csv(path.read_bytes(), schema_overrides={"city_id": pl.String, "score": pl.Float64})

    def edition(self, key: str, metrics: pl.DataFrame | None = None):
        month = Month.parse(key)
        before = month.previous
        known = [self.metrics(m) for m in (before, month) if m.key >= "2024-05"]
        return edition(
            month=month,
            method=load_method("m1"),
            cities=self.cities,
            accounts=self.accounts,
            metrics=pl.concat(known) if metrics is None else metrics,
            weight_inputs=self.weights,
            experts=self.experts(month),
            experts_previous=self.experts(before),
        )

    def top10(self, made, name: str) -> list[str]:
        frame = made.composite if name == "composite" else made.platform_index.filter(platform=name)
        return [self.names[city] for city in frame.filter(pl.col("rank") <= 10).sort("rank")["city_id"]]


@pytest.fixture(scope="module")
def written(tmp_path_factory, scenario):
    """The directory of each seed, written once by its own process."""
    folder, done = tmp_path_factory.mktemp("scenario"), {2025: Computed(scenario)}

    def of(seed: int) -> Computed:
        if seed not in done:
            command = [sys.executable, "-m", "smi_pipeline.sandbox.scenario", folder / str(seed), "--seed", str(seed)]
            subprocess.run(command, check=True, env=environment(), cwd=PROJECT)
            done[seed] = Computed(folder / str(seed))
        return done[seed]

    return of


@pytest.fixture(scope="module")
def ours(written):
    return written(2025)


@pytest.fixture(scope="module")
def published(shared):
    facts = yaml.safe_load((shared / "facts" / "published_editions.yaml").read_text(encoding="utf-8"))
    return {edition["month"]: edition for edition in facts["editions"]}


@pytest.mark.parametrize("seed", SEEDS)
def test_every_printed_list_comes_out_of_the_written_posts(written, published, seed):
    computed, lists = written(seed), 0
    for month, printed in published.items():
        names = [name.removesuffix("_top10") for name in printed if name.endswith("_top10")]
        if not names:
            continue
        made = computed.edition(month)
        assert made.status == "final"
        assert made.composite.height == printed["cities"]
        for name in names:
            assert computed.top10(made, name) == printed[f"{name}_top10"], (month, name)
            lists += 1
    assert lists == 11


@pytest.mark.parametrize("seed", SEEDS)
def test_every_printed_figure_stands_to_the_last_digit(written, seed):
    computed = written(seed)
    expected = [
        ("2024-06", "facebook", "成都", {"posts": 128, "interactions": 412_907}),
        ("2025-05", "x", "日照", {"posts": 33, "interactions": 11_088, "engagement_rate": 336.0}),
        ("2025-05", "instagram", "洛阳", {"posts": 120, "interactions": 357_840, "engagement_rate": 2982.0}),
        ("2025-05", "youtube", "常州", {"videos": 4, "views": 80_900, "view_rate": 20_225.0}),
        ("2025-05", "tiktok", "北京", {"videos": 5, "views": 643_500, "follower_growth": 100_000}),
    ]
    for month, platform, name, figures in expected:
        city = next(city for city, known in computed.names.items() if known == name)
        [row] = computed.metrics(Month.parse(month)).filter(platform=platform, city_id=city).to_dicts()
        assert {column: row[column] for column in figures} == figures, name


@pytest.mark.parametrize(
    ("month", "index", "name", "move"),
    [
        ("2025-02", "composite", "杭州", (4, 9, 5)),
        ("2025-05", "composite", "成都", (3, 3, 0)),
        ("2025-05", "x", "日照", (10, 25, 15)),
        ("2025-05", "instagram", "洛阳", (5, 31, 26)),
    ],
)
def test_the_printed_movements_come_out(ours, month, index, name, move):
    made = ours.edition(month)
    frame = made.composite if index == "composite" else made.platform_index.filter(platform=index)
    [row] = [row for row in frame.iter_rows(named=True) if ours.names[row["city_id"]] == name]
    assert (row["rank"], row["previous_rank"], row["rank_change"]) == move


def test_may_alone_without_the_followers_of_april_ranks_alike(ours, published):
    """Growth in May is worth what its siblings are: who tries a single month sees the printed lists too."""
    month = Month.parse("2025-05")
    alone = ours.account_months(month).with_columns(follower_growth=pl.lit(None, pl.Int64))
    made = ours.edition("2025-05", metrics=city_platform_month(alone, ours.accounts, month=month))
    for name in ("composite", *PLATFORMS):
        assert ours.top10(made, name) == published["2025-05"][f"{name}_top10"], name


def test_no_printed_list_hangs_by_a_rounding(ours, published):
    """The least gap among the first eleven is several hundred times the error of whole numbers."""
    for month in ("2024-06", "2024-09", "2025-02", "2025-05"):
        scores = ours.edition(month).composite.sort("score", descending=True, nulls_last=True)["score"].head(11)
        assert -scores.diff().drop_nulls().max() > 0.5, month


def test_tiktok_is_left_out_by_its_coverage(ours):
    for month, coverage in (("2025-04", 26 / 133), ("2025-05", 26 / 138)):
        [row] = ours.edition(month).platform_weight.filter(platform="tiktok").to_dicts()
        assert (row["eligible"], row["weight"]) == (False, 0.0)
        assert row["coverage"] == pytest.approx(coverage)


def test_the_rule_of_the_method_gives_its_goalposts_from_the_scenarios_first_year(ours):
    """Quantile type 7 of 5 % rounded down, the maximum rounded up, to 1, 2 or 5 times a power of ten."""
    frames = [
        ours.metrics(month)
        for month in (
            Month(m)
            for m in pl.date_range(Month.parse("2024-05").first, Month.parse("2025-04").first, "1mo", eager=True)
        )
    ]
    year = pl.concat(frames).filter(pl.col("posts") > 0)
    got, want = {}, {}
    for platform in PLATFORMS:
        for indicator, (low, high) in load_method("m1").goalposts.of(platform).items():
            values = year.filter(platform=platform)[indicator].drop_nulls().cast(pl.Float64)
            least = values.quantile(0.05, "linear")
            floor = 0.0 if indicator in {"posts", "videos", "views"} else rounded(least, down=True)
            if indicator == "follower_growth":
                floor = -100.0 if least >= -100 else floor
            got[platform, indicator] = (floor, rounded(values.max(), down=False))
            want[platform, indicator] = (low, high)
    assert got == want
    calibrated = calibrate(pl.concat(frames), method=load_method("m1"), platforms=PLATFORMS)
    assert {(one.platform, one.indicator): one.ends for each in calibrated for one in each.indicators} == want
    assert [each.months for each in calibrated] == [12, 12, 12, 12, 2]  # TikTok is measured from March


def rounded(value: float, *, down: bool) -> float:
    """To 1, 2 or 5 times a power of ten."""
    steps = sorted(digit * 10.0**power for power in range(-1, 8) for digit in (1, 2, 5))
    return max(step for step in steps if step <= value) if down else min(step for step in steps if step >= value)


def test_raters_agree_well_enough_to_be_published_and_not_better_than_people_do(ours):
    """Krippendorff's alpha for interval data, from its definition: 1 - observed / expected squared differences."""
    for month in ("2024-05", "2025-05"):
        ratings = ours.experts(Month.parse(month)).group_by("city_id", "rater").agg(pl.col("score").mean())
        values = [group["score"].to_list() for _, group in ratings.group_by("city_id")]
        assert {len(unit) for unit in values} == {5}
        every = [value for unit in values for value in unit]
        count = len(every)
        within = sum(sum((a - b) ** 2 for a in unit for b in unit) / (len(unit) - 1) for unit in values) / count
        mean = sum(every) / count
        across = 2 * count * sum((value - mean) ** 2 for value in every) / (count * (count - 1))
        assert 0.667 < 1 - within / across < 0.9, month


def test_the_printed_posts_of_may_are_there(ours):
    """What was printed about single posts: the hashtags, the days, the least or exact counts."""
    may = ours.posts.filter(month="2025-05")
    reach = may.filter(pl.col("text").str.contains("#Chengdu May I LoveYou", literal=True))["views"].sum()
    assert reach > 200_000
    xiamen = may.filter(pl.col("text").str.contains("#CulturalXiamen", literal=True))
    assert xiamen.height == 4
    assert xiamen["likes"].min() > 10_000
    days = xiamen["created_at"].str.to_datetime(time_zone="UTC").dt.convert_time_zone("Asia/Shanghai").dt.day()
    assert sorted(days) == [22, 23, 24, 25]
    [rizhao] = may.filter(pl.col("text").str.contains("#TravelInRizhao", literal=True)).to_dicts()
    at = datetime.fromisoformat(rizhao["created_at"]).astimezone(ZONE)
    assert (at.month, at.day) == (5, 1)
    assert 19_000 in may.filter(platform="youtube", account_id="UCsbx0000000000000320400")["views"].to_list()
    tiktok = may.filter(platform="tiktok", account_id="sbx_beijing").select("views").to_series().to_list()
    assert {128_000, 30_000} <= set(tiktok)
