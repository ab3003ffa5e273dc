"""The method file: whole, refused when it is not, and the error says where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from smi_pipeline.index.method import MethodError, load_method, method_text, parse_method
from smi_pipeline.months import Month
from smi_pipeline.registry.models import PLATFORMS

SHARED = Path(__file__).resolve().parents[3] / "shared"


def changed(old: str, new: str) -> str:
    text = method_text("m1")
    assert old in text
    return text.replace(old, new, 1)


def test_the_bundled_method_says_what_it_is(m1):
    assert (m1.version, m1.zone, m1.include_reposts) == ("m1", "Asia/Shanghai", False)
    assert m1.missing.ranked_from == 2 / 3
    assert (m1.composite.quantitative, m1.composite.qualitative) == (0.8, 0.2)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the reference material ../shared is not here")
def test_the_goalposts_are_the_frozen_table(m1):
    frozen = json.loads((SHARED / "scenario" / "goalposts.json").read_text())
    assert {p: {name: list(ends) for name, ends in m1.goalposts.of(p).items()} for p in PLATFORMS} == frozen


def test_tiktok_is_measured_from_march_2025(m1):
    assert m1.platforms(Month.parse("2025-02")) == ("facebook", "x", "instagram", "youtube")
    assert m1.platforms(Month.parse("2025-03")) == PLATFORMS


def test_the_method_is_a_plain_dict_for_whoever_prints_it(m1):
    told = json.loads(json.dumps(m1.model_dump(mode="json")))
    assert told["groups"]["generate"]["weight"] == 0.2
    assert told["goalposts"]["x"]["posts"] == [0, 200]
    assert all(rule["reason"] for rule in told["indicators"].values())


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
            "alpha_release = 0.667",
            "alpha_release = 0.9",
            "experts: alpha_release: expected at most alpha_good 0.8, got 0.9",
        ),
        ("sd_rerate = 2.5", "sd_rerate = 0", "experts.sd_rerate: "),
        ("carry_months = 2", "carry_months = -1", "experts.carry_months: "),
        ('transform = "asinh100"', 'transform = "sqrt"', "indicators.follower_growth.transform: "),
        ("smoothing = 0.5 ", "", "platform_weights"),
        ("[ranks]", "[ranks", "not a TOML file"),
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
