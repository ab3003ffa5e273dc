"""What is missing, zero or absent, and who pays for it."""

from __future__ import annotations

import polars as pl
import pytest

from smi_pipeline.index.edition import INDICATOR_SCORE, PLATFORM_INDEX

MAY = "2025-05"
FULL = {"posts": 200, "videos": 100, "interactions": 10**9, "followers": 10**9, "follower_growth": 10**9}


def row(frame: pl.DataFrame, **keys: str) -> dict:
    [found] = frame.filter(*(pl.col(name) == value for name, value in keys.items())).to_dicts()
    return found


def weights(frame: pl.DataFrame, **keys: str) -> dict[str, float | None]:
    found = frame.filter(*(pl.col(name) == value for name, value in keys.items()))
    return dict(found.select("indicator", "weight").iter_rows())


@pytest.fixture
def crowd(world):
    """Ten cities on the four platforms, all observed in May."""
    for number in range(10):
        world.city(f"c{number}", "facebook", "x", "instagram", "youtube")
        for platform in ("facebook", "x", "instagram", "youtube"):
            world.fill(MAY, platform, f"c{number}", level=5 + number)
    return world


def replace(world, platform: str, city: str, **values):
    """Give one city other metrics in May."""
    world.metrics = [m for m in world.metrics if (m["platform"], m["city_id"]) != (platform, city)]
    if values:
        world.measure(MAY, platform, city, **values)


def test_the_shares_of_facebook_are_those_of_the_tree_without_views(crowd):
    """Utilize .40 goes to followers and growth as .35 : .20."""
    assert weights(crowd.edition(MAY).indicator_score, platform="facebook", city_id="c0") == pytest.approx(
        {
            "posts": 0.20 * 0.5,
            "videos": 0.20 * 0.5,
            "interactions": 0.40 * 0.6,
            "engagement_rate": 0.40 * 0.4,
            "followers": 0.40 * 0.35 / 0.55,
            "follower_growth": 0.40 * 0.20 / 0.55,
        }
    )


def test_on_youtube_videos_are_the_whole_of_generate(crowd):
    got = weights(crowd.edition(MAY).indicator_score, platform="youtube", city_id="c0")
    assert got == pytest.approx(
        {
            "videos": 0.2,
            "interactions": 0.24,
            "engagement_rate": 0.16,
            "followers": 0.14,
            "follower_growth": 0.08,
            "views": 0.12,
            "view_rate": 0.06,
        }
    )


def test_a_platform_score_is_the_weighted_sum_of_its_points(crowd):
    made = crowd.edition(MAY)
    scored = made.indicator_score.filter(platform="x", city_id="c3")
    by_hand = sum(w * s for w, s in scored.select("weight", "score").iter_rows())
    assert row(made.platform_index, platform="x", city_id="c3")["score"] == pytest.approx(by_hand, abs=1e-12)


def test_all_at_the_upper_goalposts_is_a_hundred(crowd):
    replace(crowd, "facebook", "c1", **FULL)
    assert row(crowd.edition(MAY).platform_index, platform="facebook", city_id="c1")["score"] == pytest.approx(100)


def test_a_silent_account_scores_zero_but_keeps_its_followers(crowd):
    """Silence is not rewarded by leaving the rate out; the raw rate stays null."""
    replace(crowd, "youtube", "c1", posts=0, videos=0, followers=200_000, follower_growth=0, flags=["zero_denominator"])
    made = crowd.edition(MAY)
    got = {
        r["indicator"]: (r["value"], r["score"], r["flags"])
        for r in made.indicator_score.filter(platform="youtube", city_id="c1").to_dicts()
    }
    for name in ("interactions", "engagement_rate", "views", "view_rate"):
        assert got[name] == (None, 0.0, ["zero_denominator"])
    assert got["videos"] == (0.0, 0.0, [])
    assert got["followers"][1] == pytest.approx(100)
    index = row(made.platform_index, platform="youtube", city_id="c1")
    assert index["score"] == pytest.approx(0.14 * 100 + 0.08 * got["follower_growth"][1])
    assert index["flags"] == ["zero_denominator"]


def test_posts_without_a_video_is_not_silence(crowd):
    replace(crowd, "facebook", "c1", posts=9, videos=0, interactions=900, followers=9000, follower_growth=5)
    got = row(crowd.edition(MAY).indicator_score, platform="facebook", city_id="c1", indicator="videos")
    assert (got["value"], got["score"], got["flags"]) == (0.0, 0.0, [])


def test_an_indicator_that_more_than_a_fifth_lack_is_left_out_for_everybody(crowd):
    """Three of ten do not show their growth: all ten are scored without it, so that nobody gains by hiding it."""
    for number in range(3):
        replace(crowd, "facebook", f"c{number}", posts=5, videos=1, interactions=500, followers=9000)
    made = crowd.edition(MAY)
    growth = made.indicator_score.filter(platform="facebook", indicator="follower_growth")
    assert growth["score"].to_list() == growth["weight"].to_list() == [None] * 10
    assert growth["flags"].to_list() == [["suspended"]] * 10
    assert growth["value"].null_count() == 3  # the reported values are kept
    assert weights(made.indicator_score, platform="facebook", city_id="c9")["followers"] == pytest.approx(0.4)
    assert row(made.platform_index, platform="facebook", city_id="c0")["flags"] == ["suspended"]
    assert row(made.indicator_score, platform="x", city_id="c0", indicator="follower_growth")["flags"] == []


def test_a_fifth_exactly_is_not_more_than_a_fifth(crowd):
    for number in range(2):
        replace(crowd, "facebook", f"c{number}", posts=5, videos=1, interactions=500, followers=9000)
    made = crowd.edition(MAY)
    assert row(made.indicator_score, platform="facebook", city_id="c9", indicator="follower_growth")["score"] > 0
    index = row(made.platform_index, platform="facebook", city_id="c0")
    assert index["flags"] == ["partial"]
    assert index["score"] is not None
    assert weights(made.indicator_score, platform="facebook", city_id="c0")["followers"] == pytest.approx(0.4)


def test_silent_and_unreachable_accounts_do_not_suspend_an_indicator(crowd):
    """Four silent accounts without a growth and two that failed, among ten: no evidence that growth is hidden."""
    for number in range(4):
        replace(crowd, "facebook", f"c{number}", posts=0, videos=0, followers=9000, flags=["zero_denominator"])
    for number in (4, 5):
        replace(crowd, "facebook", f"c{number}", flags=["failed"])
    made = crowd.edition(MAY)
    assert row(made.indicator_score, platform="facebook", city_id="c9", indicator="follower_growth")["score"] > 0
    failed = row(made.platform_index, platform="facebook", city_id="c4")
    assert (failed["score"], failed["rank"], failed["flags"]) == (None, None, ["failed", "not_observed"])


def test_a_wholly_unobservable_group_gives_its_weight_to_the_others(crowd):
    """Followers and growth closed by the platform: Generate and Interactive share as .20 : .40."""
    for number in range(10):
        replace(crowd, "facebook", f"c{number}", posts=5 + number, videos=1, interactions=500)
    made = crowd.edition(MAY)
    assert weights(made.indicator_score, platform="facebook", city_id="c0") == pytest.approx(
        {
            "posts": 0.5 / 3,
            "videos": 0.5 / 3,
            "interactions": 0.6 * 2 / 3,
            "engagement_rate": 0.4 * 2 / 3,
            "followers": None,
            "follower_growth": None,
        }
    )
    assert row(made.platform_index, platform="facebook", city_id="c0")["flags"] == ["group_suspended", "suspended"]
    followers = row(made.indicator_score, platform="facebook", city_id="c0", indicator="followers")
    assert followers["flags"] == ["group_suspended", "suspended"]


def test_one_city_with_too_little_of_a_group_has_no_platform_score(crowd):
    """Hidden subscribers: .45 of Utilize is left on YouTube, less than .60."""
    replace(crowd, "youtube", "c1", posts=4, videos=4, interactions=100, views=5000)
    made = crowd.edition(MAY)
    index = row(made.platform_index, platform="youtube", city_id="c1")
    assert (index["score"], index["rank"], index["flags"]) == (None, None, ["not_observed"])
    assert set(weights(made.indicator_score, platform="youtube", city_id="c1").values()) == {None}


def test_sixty_percent_of_a_group_is_just_enough(crowd):
    """Interactions without a rate are .60 of Interactive."""
    replace(
        crowd,
        "facebook",
        "c1",
        posts=4,
        videos=4,
        interactions=9,
        engagement_rate=None,
        followers=10,
        follower_growth=1,
    )
    got = row(crowd.edition(MAY).platform_index, platform="facebook", city_id="c1")
    assert got["score"] is not None
    assert got["flags"] == ["partial"]


def test_a_platform_that_was_not_collected_scores_nobody(crowd):
    """A failed platform leaves a gap, never a zero."""
    crowd.metrics = [m for m in crowd.metrics if m["platform"] != "instagram"]
    made = crowd.edition(MAY)
    assert made.platform_index.filter(platform="instagram")["score"].to_list() == [None] * 10
    assert made.composite["observed_weight"].max() < 1
    assert made.composite["rank"].null_count() == 0  # two thirds of the weights are there


def test_a_city_without_an_account_is_not_listed_on_the_platform(crowd):
    crowd.city("without")
    crowd.account("without", "x", in_index=False)
    made = crowd.edition(MAY)
    assert "without" not in made.platform_index["city_id"].to_list()
    assert "without" not in made.indicator_score["city_id"].to_list()


def test_metrics_of_cities_outside_the_registry_are_ignored(crowd):
    crowd.fill(MAY, "facebook", "stranger", level=90)
    assert "stranger" not in crowd.edition(MAY).platform_index["city_id"].to_list()


def test_tiktok_has_its_index_from_march_2025_without_counting(crowd):
    crowd.city("t", "tiktok")
    for month in ("2025-02", "2025-03"):
        crowd.fill(month, "tiktok", "t")
    assert "tiktok" not in crowd.edition("2025-02").platform_index["platform"].to_list()
    march = crowd.edition("2025-03")
    assert march.platform_index.filter(platform="tiktok")["rank"].to_list() == [1]
    assert "tiktok" not in march.contribution["platform"].to_list()


def test_flags_of_the_metrics_reach_the_platform_index(crowd):
    replace(
        crowd, "x", "c2", posts=1, videos=1, interactions=5, followers=9, follower_growth=1, flags=["followers_late"]
    )
    assert row(crowd.edition(MAY).platform_index, platform="x", city_id="c2")["flags"] == ["followers_late"]


def test_frames_keep_the_declared_columns_and_order(crowd):
    made = crowd.edition(MAY)
    assert made.indicator_score.schema == pl.Schema(INDICATOR_SCORE)
    assert made.platform_index.schema == pl.Schema(PLATFORM_INDEX)
    first = made.indicator_score.filter(platform="facebook", city_id="c0")["indicator"].to_list()
    assert first == ["posts", "videos", "interactions", "engagement_rate", "followers", "follower_growth"]
    ranks = made.platform_index.filter(platform="x").select("rank", "city_id").rows()
    assert ranks == [(n + 1, f"c{9 - n}") for n in range(10)]


def test_a_city_that_failed_for_one_month_keeps_its_figures_of_the_month_before(crowd):
    """A collection failure is no silence: last month's figures stand in once, and say so."""
    replace(crowd, "youtube", "c1", flags=["failed"])
    crowd.measure("2025-04", "youtube", "c1", posts=4, videos=4, interactions=100, followers=200_000, views=5000)
    made = crowd.edition(MAY)
    followers = row(made.indicator_score, platform="youtube", city_id="c1", indicator="followers")
    assert (followers["value"], followers["score"], followers["flags"]) == (
        200_000.0,
        pytest.approx(100),
        ["carried", "partial"],
    )
    index = row(made.platform_index, platform="youtube", city_id="c1")
    assert index["score"] is not None
    assert index["flags"] == ["carried", "changed_set", "failed", "partial"]  # April was not observed elsewhere


def test_a_growth_is_never_carried(crowd):
    replace(crowd, "youtube", "c1", flags=["failed"])
    crowd.fill("2025-04", "youtube", "c1")
    growth = row(crowd.edition(MAY).indicator_score, platform="youtube", city_id="c1", indicator="follower_growth")
    assert (growth["value"], growth["score"], growth["weight"]) == (None, None, None)


def test_nothing_is_carried_for_two_months(crowd):
    replace(crowd, "youtube", "c1", flags=["failed"])
    crowd.fill("2025-03", "youtube", "c1")
    assert row(crowd.edition(MAY).platform_index, platform="youtube", city_id="c1")["score"] is None


def test_a_month_before_that_was_carried_itself_is_compared_as_it_was_published(crowd):
    """April rests on March for one city: its rank of April in May's edition is that of April's edition."""
    for number in range(10):
        for platform in ("facebook", "x", "instagram", "youtube"):
            for month in ("2025-03", "2025-04"):
                if (month, platform, number) != ("2025-04", "youtube", 1):
                    crowd.fill(month, platform, f"c{number}", level=5 + number)
    april = row(crowd.edition("2025-04").platform_index, platform="youtube", city_id="c1")
    assert "carried" in april["flags"]
    assert row(crowd.edition(MAY).platform_index, platform="youtube", city_id="c1")["previous_rank"] == april["rank"]
