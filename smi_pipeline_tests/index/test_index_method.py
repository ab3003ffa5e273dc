"""The method file: whole, refused when it is not, and the error says where."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from pydantic import ValidationError

from smi_pipeline.index.method import MethodError, load_method, method_text, parse_method
from smi_pipeline.index.versions import parameters
from smi_pipeline.metrics.account_month import SNAPSHOT_REACH
from smi_pipeline.months import FINAL_DAY, PROVISIONAL_DAY, Month
from smi_pipeline.registry.models import PLATFORMS


def changed(old: str, new: str) -> str:
    text = method_text("m1")
    assert old in text
    return text.replace(old, new, 1)


def test_the_bundled_method_says_what_it_is(m1):
    assert (m1.version, m1.zone, m1.include_reposts) == ("m1", "Asia/Shanghai", False)
    assert m1.missing.ranked_from == 2 / 3
    assert (m1.composite.quantitative, m1.composite.qualitative) == (0.8, 0.2)


def test_the_goalposts_are_the_frozen_table(m1, shared):
    frozen = json.loads((shared / "scenario" / "goalposts.json").read_text())
    assert {p: {name: list(ends) for name, ends in m1.goalposts.of(p).items()} for p in PLATFORMS} == frozen


def test_tiktok_is_measured_from_march_2025(m1):
    assert m1.platforms(Month.parse("2025-02")) == ("facebook", "x", "instagram", "youtube")
    assert m1.platforms(Month.parse("2025-03")) == PLATFORMS


def test_the_method_is_a_plain_dict_for_whoever_prints_it(m1):
    told = json.loads(json.dumps(m1.model_dump(mode="json")))
    assert told["groups"]["generate"]["weight"] == 0.2
    assert told["goalposts"]["x"]["posts"] == [0, 200]
    assert all(rule["reason"] for rule in told["indicators"].values())


NUMBERS = {
    "counting.provisional_day": 3,
    "counting.final_day": 10,
    "missing.suspended_above": 0.20,
    "missing.partial_from": 0.60,
    "missing.ranked_from": 2 / 3,
    "missing.carry_months": 1,
    "platform_weights.smoothing": 0.5,
    "platform_weights.floor": 0.10,
    "platform_weights.cap": 0.40,
    "platform_weights.enter_from": 0.30,
    "platform_weights.leave_below": 0.25,
    "platform_weights.months": 3,
    "platform_weights.stale_after": 100,
    "rates": "reported",
    "calibration.quantile": 0.05,
    "calibration.quantile_type": 7,
    "calibration.steps": [1, 2, 5],
    "calibration.zero_floor": ["posts", "videos", "views"],
    "calibration.growth_floor": -100,
    "calibration.baseline_months": 12,
    "calibration.least_months": 3,
    "calibration.active_posts": 1,
    "audit.clipped_above": 0.05,
    "audit.skew": 2,
    "audit.kurtosis": 3.5,
    "experts.scale": [1, 10],
    "experts.raters": 3,
    "experts.raters_aimed_at": 5,
    "experts.release_share": 0.95,
    "experts.alpha_release": 0.667,
    "experts.alpha_good": 0.80,
    "experts.rerate_above_sd": 2.5,
    "experts.severity_correction": False,
    "experts.severity_overlap": 20,
    "experts.carry_months": 2,
    "ranks.decimals": 6,
    "ranks.shown_decimals": 2,
    "uncertainty.draws": 1000,
    "uncertainty.platform_weights": 0.25,
    "uncertainty.tree_weights": 0.25,
    "uncertainty.normalisations": ["goalposts", "min_max", "z_score", "percentile"],
    "uncertainty.aggregations": ["arithmetic", "geometric"],
    "uncertainty.geometric_range": [1, 100],
    "uncertainty.many_accounts": ["sum", "largest"],
    "uncertainty.missing": ["rule", "platform_median"],
    "uncertainty.expert_bootstrap": True,
    "uncertainty.interval": [0.05, 0.95],
    "uncertainty.top": 10,
    "uncertainty.sobol_n": 512,
}


@pytest.mark.parametrize("key", NUMBERS)
def test_the_method_file_holds_the_numbers_of_the_method(m1, key):
    """Copied from the method's text, not from the file."""
    assert parameters(m1)[key] == NUMBERS[key]


def test_every_table_says_its_unit_its_source_and_its_reason(m1):
    told = m1.model_dump()
    tables = [table for name, table in told.items() if isinstance(table, dict) and name != "platforms_from"]
    each = [one for table in tables for one in ([table] if "source" in table else table.values())]
    assert len(each) == 3 + 8 + 10
    assert all(one["unit"] and one["source"] and one["reason"] for one in each)


def test_the_days_of_the_method_are_those_the_pipeline_keeps(m1):
    assert (m1.counting.provisional_day, m1.counting.final_day) == (PROVISIONAL_DAY, FINAL_DAY)
    assert timedelta(days=m1.counting.snapshot_reach) == SNAPSHOT_REACH


def test_the_same_month_and_version_begin_the_same_random_numbers(m1):
    assert m1.uncertainty.seed_text(Month.parse("2025-05"), "m1") == "m1 2025-05"


def test_a_method_cannot_be_changed_once_read(m1):
    with pytest.raises(ValidationError):
        m1.version = "m2"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('version = "m1"', 'version = "m1"\nextra = 1', "extra: Extra inputs are not permitted"),
        ('version = "m1"', 'version = "M 1"', "version: "),
        ("[groups.utilize]\nweight = 0.40", "[groups.utilize]\nweight = 0.41", "groups: expected weights that add up"),
        ("weight = 0.35", "weight = 0.36", "indicators of utilize: expected weights that add up to 1, got 1.01"),
        ("users = 0.4", "users = 0.5", "factors: expected weights that add up to 1, got 1.1"),
        ("facebook = 0.35", "facebook = 0.30", "start: expected weights that add up to 1, got 0.95"),
        ("qualitative = 0.2", "qualitative = 0.1", "quantitative, qualitative: expected weights that add up to 1"),
        ("posts = [0, 200]", "posts = [200, 200]", "facebook.posts: expected lo < hi, got [200, 200]"),
        ("posts = [0, 200]", "posts = [-2, 200]", "goalposts.facebook.posts: ln1p needs lo >= 0"),
        ("posts = [0, 200]\n", "", "goalposts.facebook: expected exactly"),
        ("floor = 0.10", "floor = 0.30", "platform_weights: floor: 5 platforms of at least 0.3 exceed 1"),
        ("cap = 0.40", "cap = 0.10", "floor: expected less than the cap 0.1"),
        ("leave_below = 0.25", "leave_below = 0.35", "leave_below: expected at most enter_from"),
        ("relevance = 0.3\n", "", "platform_weights: factors: expected weights"),
        ("scale = [1, 10]", "scale = [10, 1]", "experts.scale: expected the lower end first, got [10.0, 1.0]"),
        ('"Asia/Shanghai"', '"Asia/Atlantis"', "zone: expected an IANA time zone"),
        ('tiktok = "2025-03"', 'tiktok = "March"', "platforms_from: a month is written YYYY-MM"),
        ('"2/3"', '"two thirds"', "missing.ranked_from: expected a number or a fraction like 2/3"),
        ('"2/3"', '"1/0"', "missing.ranked_from: expected a number or a fraction like 2/3"),
        (
            "severity_correction = false",
            "severity_correction = true",
            "experts.severity_correction: Input should be False",
        ),
        ("rerate_above_sd = 2.5", "rerate_above_sd = 0", "experts.rerate_above_sd: "),
        ("carry_months = 2", "carry_months = -1", "experts.carry_months: "),
        ('transform = "asinh100"', 'transform = "sqrt"', "indicators.follower_growth.transform: "),
        ("smoothing = 0.5 ", "", "platform_weights"),
        ("[ranks]", "[ranks", "not a TOML file"),
        ("final_day = 10", "final_day = 11", "counting.final_day: Input should be 10"),
        ('x_shares = ["reposts", "quotes"]', 'x_shares = ["reposts"]', "counting.x_shares"),
        ("no_account_points = 0", "no_account_points = 5", "missing.no_account_points: Input should be 0"),
        ("quantile_type = 7", "quantile_type = 6", "calibration.quantile_type: Input should be 7"),
        ("steps = [1, 2, 5]", "steps = [2, 5]", "calibration: steps: expected rising numbers that begin with 1"),
        ("steps = [1, 2, 5]", "steps = [1, 5, 2]", "calibration: steps: expected rising numbers that begin with 1"),
        ("least_months = 3", "least_months = 13", "calibration: least_months: expected at most 12, got 13"),
        ("alpha_release = 0.667", "alpha_release = 0.9", "experts: alpha_release: expected at most 0.8, got 0.9"),
        ("raters_aimed_at = 5", "raters_aimed_at = 2", "experts: raters: expected at most raters_aimed_at 2, got 3"),
        ("draws = 1000", "draws = 0", "uncertainty.draws: "),
        ('"{version} {month}"', '"{month}"', "uncertainty: seed: expected a text with {month} and {version}"),
        ('["arithmetic", "geometric"]', '["geometric"]', "aggregations: expected 'arithmetic' first and none twice"),
        ('["sum", "largest"]', '["sum", "sum"]', "many_accounts: expected 'sum' first and none twice"),
        ('"z_score"', '"zscore"', "uncertainty.normalisations.2: "),
        ("geometric_range = [1, 100]", "geometric_range = [0, 100]", "geometric_range: expected an end above 0"),
        ("interval = [0.05, 0.95]", "interval = [0.95, 0.05]", "interval: expected the lower end first"),
        ("[goalposts.frozen_from]", '[goalposts.frozen_from]\nx = "May"', "goalposts.frozen_from: a month is written"),
        ('unit = "shares of the composite"\n', "", "composite.unit: Field required"),
    ],
)
def test_a_wrong_method_is_refused_with_file_and_key(old, new, told):
    with pytest.raises(MethodError) as error:
        parse_method(changed(old, new), name="mine.toml")
    assert str(error.value).startswith("mine.toml: ")
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_factor_or_a_group_that_is_not_there_is_named():
    """Even where the weights that are left add up."""
    text = changed("users = 0.4", "users = 0.7").replace("relevance = 0.3\n", "", 1)
    with pytest.raises(MethodError, match="factors: expected users, activity, relevance, got users, activity"):
        parse_method(text, name="mine.toml")
    start, end = (method_text("m1").index(f"[groups.{name}]") for name in ("generate", "interactive"))
    text = method_text("m1")[:start] + method_text("m1")[end:].replace("weight = 0.40", "weight = 0.60", 1)
    with pytest.raises(MethodError, match=r"indicators\.posts\.group: there is no group 'generate'"):
        parse_method(text, name="mine.toml")


def test_further_errors_are_counted():
    text = changed("raters = 3", "raters = 0").replace("decimals = 6", "decimals = 99")
    with pytest.raises(MethodError, match=r"and 1 more"):
        parse_method(text, name="mine.toml")


def test_all_mistakes_can_be_asked_for():
    text = changed("raters = 3", "raters = 0").replace("decimals = 6", "decimals = 99")
    with pytest.raises(MethodError) as error:
        parse_method(text, name="mine.toml")
    assert [mistake.split(":")[0] for mistake in error.value.mistakes] == ["experts.raters", "ranks.decimals"]


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(MethodError, match=r"no method 'm99'; expected one of m1, or the path of a .toml file"):
        load_method("m99")


def test_a_method_file_of_ones_own_is_read_from_its_path(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(changed("include_reposts = false", "include_reposts = true"), encoding="utf-8")
    assert load_method(path).include_reposts
    assert load_method(str(path)).version == "m1"


def test_a_path_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(MethodError, match=r"nowhere.toml: the method file cannot be read: No such file"):
        load_method(tmp_path / "nowhere.toml")
    (tmp_path / "latin.toml").write_bytes(b"version = '\xe9'")
    with pytest.raises(MethodError, match="it is not UTF-8"):
        load_method(tmp_path / "latin.toml")
