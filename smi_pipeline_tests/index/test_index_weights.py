"""Platform weights: the worked example, the coverage rule, and what adds up."""

from __future__ import annotations

import json
from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smi_pipeline.index.eligibility import eligibility, enter_and_leave
from smi_pipeline.index.weights import PLATFORM_WEIGHT, WeightInputsError, cap, platform_weights, smooth
from smi_pipeline.months import Month
from smi_pipeline.registry.models import PLATFORMS


@pytest.fixture
def covered(world):
    """138 cities: the four platforms on most, TikTok on 26."""
    for number in range(138):
        on = [p for p, n in zip(PLATFORMS, (120, 108, 92, 78, 26), strict=True) if number < n]
        world.city(f"{number:03}", *on)
    return world


def weigh(world, month, **changed):
    given = {"method": world.method, "cities": world.cities_frame, "accounts": world.accounts_frame}
    given |= {"weight_inputs": world.inputs} | changed
    return platform_weights(month=Month.parse(month), **given)


def weights_of(frame):
    return dict(frame.select("platform", "weight").iter_rows())


def test_the_first_month_is_already_smoothed_once(covered):
    """The worked example: base .346/.152/.213/.289 half-way to the start weights 35/30/15/20."""
    got = weights_of(weigh(covered, "2024-05"))
    assert got == pytest.approx({"facebook": 0.348, "x": 0.226, "instagram": 0.1815, "youtube": 0.2445}, abs=6e-4)


def test_the_second_month_starts_from_the_first_ones_weights(covered):
    got = weights_of(weigh(covered, "2024-06"))
    assert got == pytest.approx({"facebook": 0.347, "x": 0.189, "instagram": 0.197, "youtube": 0.267}, abs=6e-4)


def test_the_weights_settle_at_the_base_of_the_inputs(covered):
    got = weights_of(weigh(covered, "2027-05"))
    assert got == pytest.approx(
        {"facebook": 0.346, "x": 0.1515, "instagram": 0.213, "youtube": 0.289, "tiktok": 0}, abs=6e-4
    )


def test_each_step_of_the_base_can_be_done_by_hand(covered):
    """Facebook: 0.4 * 3.07 / 9.73 + 0.3 * 95.17 / 393.83 + 0.3 * 0.30."""
    frame = weigh(covered, "2024-05")
    parts = json.loads(frame.filter(pl.col("platform") == "facebook")["parts"].item())
    by_hand = 0.4 * 3.07 / 9.73 + 0.3 * (3.07 * 31) / 393.83 + 0.3 * 0.30
    assert parts["base"] == pytest.approx(by_hand, abs=1e-12)
    assert parts["previous_weight"] == 0.35
    assert parts["smoothed"] == pytest.approx((parts["base_in_eligible"] + 0.35) / 2)
    assert parts["inputs"]["activity"]["share"] == pytest.approx(95.17 / 393.83)


def test_an_activity_given_as_a_total_is_not_multiplied_again(covered, weight_inputs):
    per_user = weigh(covered, "2024-05")
    totals = weight_inputs().with_columns(
        value=pl.when(pl.col("factor") == "activity")
        .then(
            pl.col("platform").replace_strict(
                {"facebook": 95.17, "x": 17.36, "instagram": 66.0, "youtube": 122.5, "tiktok": 92.8}
            )
        )
        .otherwise("value"),
        unit=pl.when(pl.col("factor") == "activity").then(pl.lit("billion user-minutes a day")).otherwise("unit"),
    )
    assert weights_of(weigh(covered, "2024-05", weight_inputs=totals)) == pytest.approx(weights_of(per_user))


def test_tiktok_never_enters_and_is_listed_from_its_first_month(covered):
    assert "tiktok" not in weigh(covered, "2025-02")["platform"].to_list()
    [row] = weigh(covered, "2025-05").filter(pl.col("platform") == "tiktok").to_dicts()
    assert row["coverage"] == pytest.approx(0.188, abs=5e-4)
    assert (row["weight"], row["eligible"]) == (0.0, False)
    assert json.loads(row["parts"])["sum"] is None


def test_a_city_that_joins_next_month_is_not_monitored_in_this_one(world):
    """26 of 133 in April, 26 of 138 in May: what begins after the last month asked about must not fall into it."""
    for number in range(138):
        on = ("facebook", "tiktok") if number < 26 else ("facebook",)
        world.city(f"{number:03}", *on, since="2025-05-01" if number >= 133 else "2024-05-01")
    for month, share in (("2025-04", 26 / 133), ("2025-05", 26 / 138)):
        [row] = weigh(world, month).filter(platform="tiktok").to_dicts()
        assert row["coverage"] == pytest.approx(share)


def test_the_parts_of_every_weight_add_up_to_it(covered, weight_inputs):
    """With caps at work too: one platform has nearly all users."""
    lopsided = weight_inputs(users={"facebook": 100.0, "x": 0.1, "instagram": 1.0, "youtube": 1.0, "tiktok": 1.0})
    for month, inputs in (("2024-05", weight_inputs()), ("2025-05", lopsided)):
        frame = weigh(covered, month, weight_inputs=inputs).filter("eligible")
        assert frame["weight"].sum() == pytest.approx(1, abs=1e-12)
        for row in frame.iter_rows(named=True):
            assert sum(json.loads(row["parts"])["sum"].values()) == pytest.approx(row["weight"], abs=1e-12)
    assert frame["weight"].max() == 0.40
    assert json.loads(frame["parts"][0])["sum"]["cap"] < 0


def test_old_inputs_are_carried_on_and_flagged(covered):
    """As of 30 April: 62 days old when June is over, 124 when August is."""
    assert weigh(covered, "2024-06")["flags"].to_list() == [[]] * 4
    august = weigh(covered, "2024-08")
    assert august["flags"].to_list() == [["stale"]] * 4
    assert json.loads(august["parts"][0])["inputs"]["users"]["age_days"] == 124


def test_a_later_row_takes_over_from_its_month_on(covered, weight_inputs):
    later = pl.concat([weight_inputs(), weight_inputs("2024-07", relevance=dict.fromkeys(PLATFORMS, 0.2))])
    for month, same in (("2024-06", True), ("2024-07", False)):
        got = weights_of(weigh(covered, month, weight_inputs=later))
        assert (got == weights_of(weigh(covered, month))) is same


def test_frames_keep_the_declared_columns(covered):
    assert weigh(covered, "2025-05").schema == pl.Schema(PLATFORM_WEIGHT)


def test_a_month_before_the_file_begins_is_refused(covered):
    with pytest.raises(WeightInputsError, match="expected rows for 2024-04 or earlier, but the file begins in 2024-05"):
        weigh(covered, "2024-04")
    with pytest.raises(WeightInputsError, match="but the file is empty"):
        weigh(covered, "2024-04", weight_inputs=covered.inputs.clear())


@pytest.mark.parametrize(
    ("drop", "told"),
    [
        ((pl.col("platform") == "x") & (pl.col("factor") == "activity"), "x has no activity in force in 2024-05"),
        (pl.col("platform") == "x", "x has no row in force in 2024-05, yet it is eligible"),
    ],
)
def test_an_eligible_platform_without_an_input_is_named(covered, drop, told):
    with pytest.raises(WeightInputsError, match=told):
        weigh(covered, "2024-05", weight_inputs=covered.inputs.filter(~drop))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"unit": pl.when(pl.col("platform") == "x").then(pl.lit("people")).otherwise("unit")},
            "expected one unit, got",
        ),
        ({"value": pl.lit(-1.0)}, "expected a value of 0 or more, got -1.0"),
        ({"value": pl.lit(float("nan"))}, "expected a value of 0 or more, got nan"),
        ({"value": pl.lit(0.0)}, "users in 2024-05: expected at least one value above 0"),
        ({"factor": pl.lit("fame")}, "expected a platform and one of the factors users, activity, relevance"),
        ({"factor": pl.lit("users")}, "users of 2024-05: expected one row, got two"),
        ({"as_of": pl.lit(None, dtype=pl.Date)}, "expected a unit and the date as_of"),
        ({"month": pl.lit("May")}, "a month is written YYYY-MM"),
    ],
)
def test_malformed_inputs_are_refused_with_their_row(covered, change, told):
    with pytest.raises(ValueError, match=told):
        weigh(covered, "2024-05", weight_inputs=covered.inputs.with_columns(**change))


def test_weights_wait_while_nobody_is_monitored(world, weight_inputs):
    """A registry that begins after the inputs file: its first month is the first one smoothed."""
    for number in range(4):
        world.city(f"{number}", "facebook", "x", "instagram", "youtube", since="2024-08-15")
    assert set(weights_of(weigh(world, "2024-07")).values()) == {0.0}
    alone = weights_of(weigh(world, "2024-08", weight_inputs=weight_inputs("2024-08")))
    assert weights_of(weigh(world, "2024-08")) == pytest.approx(alone)


def test_nothing_is_eligible_when_nobody_has_accounts(world):
    world.city("1")
    frame = weigh(world, "2024-06")
    assert frame["weight"].to_list() == [0.0] * 4
    assert frame["coverage"].to_list() == [0.0] * 4


def test_a_newcomer_starts_from_its_target_and_everything_is_rescaled():
    target = {"facebook": 0.5, "x": 0.25, "tiktok": 0.25}
    got = smooth(target, {"facebook": 0.7, "x": 0.3}, 0.5)
    whole = 0.6 + 0.275 + 0.25
    assert got == pytest.approx({"facebook": 0.6 / whole, "x": 0.275 / whole, "tiktok": 0.25 / whole})


def test_water_filling_by_hand():
    """.60/.30/.06/.04: the upper side is over by .20, the lower short by .10; then .30/.06/.04 share .60 as .45/.09/.06,
    the upper side is over by .05 and the lower short by .05: upper first on a tie; the last two share .20."""
    got = cap({"facebook": 0.60, "x": 0.30, "instagram": 0.06, "youtube": 0.04}, floor=0.1, ceiling=0.4)
    assert got == pytest.approx({"facebook": 0.4, "x": 0.4, "instagram": 0.1, "youtube": 0.1})


def test_two_platforms_share_equally_when_one_would_hold_more_than_half():
    assert cap({"facebook": 0.8, "x": 0.2}, floor=0.1, ceiling=0.4) == {"facebook": 0.5, "x": 0.5}
    assert cap({"youtube": 1.0}, floor=0.1, ceiling=0.4) == {"youtube": 1.0}
    assert cap({}, floor=0.1, ceiling=0.4) == {}


@given(raw=st.lists(st.floats(0, 1e6), min_size=3, max_size=5).filter(lambda raw: sum(raw) > 0))
def test_capped_weights_add_up_to_one_within_their_bounds(raw):
    weights = {p: value / sum(raw) for p, value in zip(PLATFORMS, raw, strict=False)}
    got = cap(weights, floor=0.1, ceiling=0.4)
    assert sum(got.values()) == pytest.approx(1, abs=1e-9)
    assert all(0.1 - 1e-9 <= w <= 0.4 + 1e-9 for w in got.values())
    inside = all(0.1 <= w <= 0.4 for w in weights.values())
    assert not inside or got == pytest.approx(weights)


@pytest.mark.parametrize(
    ("coverage", "states"),
    [
        ([0.30], [True]),
        ([0.29], [False]),
        ([0.29, 0.30, 0.30, 0.30], [False, False, False, True]),
        ([0.10, 0.31, 0.31, 0.29, 0.31, 0.31, 0.31], [False] * 6 + [True]),
        ([0.30, 0.26, 0.26, 0.26, 0.26], [True] * 5),  # between the thresholds it stays what it was
        ([0.30, 0.24, 0.24, 0.25, 0.24, 0.24, 0.24], [True] * 6 + [False]),
        ([0.30, 0.20, 0.20, 0.20, 0.31, 0.31, 0.31], [True, True, True, False, False, False, True]),
        ([0.0, 0.35], [False, False]),
    ],
)
def test_it_takes_three_months_in_a_row_to_enter_and_to_leave(m1, coverage, states):
    assert enter_and_leave(coverage, m1.platform_weights) == states


def test_coverage_counts_cities_with_an_account_in_the_index_valid_in_the_month(world, m1):
    for number in range(8):
        world.city(f"{number}", since="2025-01-01")
    world.city("gone", "x", since="2025-01-01", until="2025-02-01")
    world.account("0", "x", since="2025-03-31")  # a single day of March
    world.account("0", "x", since="2025-01-01")  # a second account of a city counts once
    world.account("1", "x", since="2025-01-01", until="2025-03-01")  # last in February
    world.account("2", "x", since="2025-01-01", in_index=False)
    world.account("stranger", "x", since="2025-01-01")
    got = eligibility(world.cities_frame, world.accounts_frame, last=Month.parse("2025-03"), method=m1)
    assert got.first == Month(date(2025, 1, 1))
    by_month = [got.coverage["x", Month.parse(f"2025-0{n}")] for n in (1, 2, 3)]
    assert by_month == [3 / 9, 2 / 8, 1 / 8]
    assert got.eligible[Month.parse("2025-01")] == ("x",)
    assert ("tiktok", Month.parse("2025-02")) not in got.coverage
    assert got.coverage["tiktok", Month.parse("2025-03")] == 0


def test_an_empty_registry_covers_nothing(world, m1):
    world.city("1", since="2025-06-01")
    got = eligibility(world.cities_frame, world.accounts_frame, last=Month.parse("2025-05"), method=m1)
    assert (got.first, got.coverage) == (None, {})


def test_a_platform_that_crosses_the_threshold_enters_the_weights_in_the_third_month(world):
    """Instagram rises from 2 to 4 of 10 cities in March: it counts from May on, and then starts from its target."""
    for number in range(10):
        world.city(f"{number}", "facebook", "x", "youtube")
    for number in range(4):
        world.account(f"{number}", "instagram", since="1970-01-01" if number < 2 else "2025-03-01")
    assert weights_of(weigh(world, "2025-04"))["instagram"] == 0
    may = weigh(world, "2025-05")
    [row] = may.filter(pl.col("platform") == "instagram").to_dicts()
    parts = json.loads(row["parts"])
    assert row["eligible"]
    assert parts["previous_weight"] is None
    assert parts["sum"]["previous"] == 0
    assert sum(parts["sum"].values()) == pytest.approx(row["weight"], abs=1e-12)


def test_a_later_platform_waits_for_its_goalposts_to_be_frozen(covered, m1):
    """Preliminary goalposts may still move: until they are frozen the composite does without the platform."""
    posts = m1.goalposts.model_copy(update={"frozen_from": {"youtube": "2024-07"}})
    covered.method = m1.model_copy(update={"goalposts": posts})
    eligible = {
        month: set(weigh(covered, month).filter("eligible")["platform"]) for month in ("2024-06", "2024-07", "2024-08")
    }
    others = {"facebook", "x", "instagram"}
    assert eligible == {"2024-06": others, "2024-07": {*others, "youtube"}, "2024-08": {*others, "youtube"}}
