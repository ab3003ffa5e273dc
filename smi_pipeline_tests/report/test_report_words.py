"""Both languages say the same things, in whole sentences and their own punctuation."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib import resources
from string import Formatter
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies

from smi_pipeline.index.method import FACTORS, INDICATORS
from smi_pipeline.months import Month
from smi_pipeline.registry.models import PLATFORMS
from smi_pipeline.report.formats import Formats, apportioned, chinese_numeral, rounded
from smi_pipeline.report.wording import WordingError, catalogue

ZH, EN = catalogue("zh"), catalogue("en")


def blanks(text):
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def sources():
    room = resources.files("smi_pipeline.report")
    files = [*room.iterdir(), *(room / "templates").iterdir()]
    return "".join(file.read_text(encoding="utf-8") for file in files if file.name.endswith((".py", ".j2")))


def test_both_catalogues_have_the_same_keys_in_the_same_order():
    assert list(ZH.texts) == list(EN.texts)


@pytest.mark.parametrize(
    ("value", "zh", "en"),
    [
        (9_999, "9,999", "9,999"),
        (11_088, "1.11万", "11.1 thousand"),
        (357_840, "35.78万", "357.8 thousand"),
        (400_000, "40万", "400 thousand"),
        (999_949, "99.99万", "999.9 thousand"),
        (999_950, "100万", "1 million"),
        (99_995_000, "1亿", "100 million"),
        (123_456_789, "1.23亿", "123.5 million"),
        (0, "0", "0"),
        (None, "—", "—"),
    ],
)
def test_large_numbers_are_said_as_each_language_says_them(value, zh, en):
    assert (Formats("zh").spoken(value), Formats("en").spoken(value)) == (zh, en)


@pytest.mark.parametrize(("value", "said"), [(2982.0, "2,982"), (3225.8359375, "3,225.84"), (0.5, "0.5"), (None, "—")])
def test_a_rate_in_a_sentence_has_no_empty_decimals(value, said):
    assert Formats("zh").rate(value) == said


def test_every_text_is_a_text():
    assert [key for c in (ZH, EN) for key, text in c.texts.items() if not isinstance(text, str)] == []


def test_a_sentence_has_the_same_blanks_in_both_languages():
    allowed = {"highlight_surged_interactions", "highlight_surged_views"}
    different = {key for key in ZH.texts if blanks(ZH.texts[key]) != blanks(EN.texts[key])}
    assert different <= allowed


def test_every_text_the_pages_ask_for_exists():
    asked = set(re.findall(r'(?:\bt|\btext|\b_text)\(\s*"([a-z_]+)"', sources()))
    prefixes = {key for key in asked if key.endswith("_")}
    assert asked - prefixes <= set(ZH.texts)
    assert all(any(key.startswith(prefix) for key in ZH.texts) for prefix in prefixes)


@pytest.mark.parametrize("prefix", ["platform", "short", "nav", "difference"])
def test_every_platform_is_worded(prefix):
    assert {f"{prefix}_{platform}" for platform in PLATFORMS} <= set(ZH.texts)


def test_every_indicator_and_factor_is_worded():
    assert {f"{kind}_{i}" for kind in ("indicator", "definition") for i in INDICATORS} <= set(ZH.texts)
    assert {f"factor_{factor}" for factor in FACTORS} <= set(ZH.texts)


def test_chinese_sentences_use_full_width_punctuation():
    half = re.compile(r"[\u4e00-\u9fff}]\s?[,;:!?()]|[,;:!?()]\s?[\u4e00-\u9fff{]|[\u4e00-\u9fff]\.")
    assert [key for key, text in ZH.texts.items() if half.search(text)] == []


def test_a_text_that_does_not_exist_is_an_error_with_its_name():
    with pytest.raises(WordingError, match=r"texts/zh.yaml: expected a text 'nothing'"):
        ZH("nothing")


def test_a_blank_that_was_not_given_is_an_error_with_its_name():
    with pytest.raises(WordingError, match=r"texts/en.yaml, issue: nothing was given for 'month'"):
        EN("issue")


def test_an_unworded_flag_shows_its_code():
    assert EN.or_code("flag", "brand_new_flag") == "brand_new_flag"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "—"), (0.0, "0.00"), (412907 / 128, "3,225.84"), (2.675, "2.68"), (0.125, "0.13"), (-1.005, "−1.01")],
)
def test_scores_are_rounded_half_up_where_shown(value, shown):
    assert Formats("en").score(value) == shown


def test_rounding_keeps_the_decimals_asked_for():
    assert str(rounded(1e22, 2)) == "10000000000000000000000.00"


def test_unknown_and_zero_are_written_differently():
    f = Formats("zh")
    assert (f.count(None), f.count(0), f.signed(None), f.signed(0)) == ("—", "0", "—", "0")


def test_differences_carry_their_sign():
    assert [Formats("en").signed(n) for n in (1200, -35)] == ["+1,200", "−35"]


def test_inputs_are_shown_with_the_digits_of_their_file():
    assert [Formats("en").plain(x) for x in (3.07, 0.56, 31.0, 2000000.0, -100.0)] == [
        "3.07", "0.56", "31", "2,000,000", "−100",
    ]  # fmt: skip


def test_shares():
    f = Formats("en")
    assert (f.percent(26 / 138), f.percent(None), f.whole_percent(0.3), f.whole_percent(0.125)) == (
        "18.8%", "—", "30%", "12.5%",
    )  # fmt: skip


def test_dates_follow_the_language():
    moment, zone = datetime(2025, 6, 9, 22, 5, tzinfo=UTC), ZoneInfo("Asia/Shanghai")
    assert Formats("zh").moment(moment, zone) == "2025年6月10日 06:05"
    assert Formats("en").moment(moment, zone) == "10 June 2025 06:05"
    assert Formats("zh").month(Month.parse("2025-05")) == "2025年5月"
    assert Formats("en").day(date(2025, 5, 1)) == "1 May 2025"


def test_lists_follow_the_language():
    assert [Formats("en").names(["A", "B", "C"][:n]) for n in range(4)] == ["", "A", "A and B", "A, B and C"]
    assert Formats("zh").names(["甲", "乙", "丙"]) == "甲、乙、丙"


def test_chinese_numerals():
    written = {1: "一", 10: "十", 11: "十一", 20: "二十", 99: "九十九", 100: "100", 0: "0"}
    assert {number: chinese_numeral(number) for number in written} == written


def test_english_ordinals_and_places():
    f = Formats("en")
    assert [f.ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 112)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th",
    ]  # fmt: skip
    assert [f.places(n) for n in (1, 5)] == ["1 place", "5 places"]


@pytest.mark.parametrize(
    ("value", "said"), [(None, "—"), ((3.0, 3.0), "3"), ((3.0, 5.0), "3–5"), ((7.05, 12.0), "7.1–12")]
)
def test_a_range_of_ranks_is_one_number_where_both_ends_are_the_same(value, said):
    assert Formats("en").interval(value) == said


@pytest.mark.parametrize(
    ("value", "said"), [(1.2, "+1.20"), (-0.345, "−0.35"), (0.004, "0.00"), (-0.004, "0.00"), (None, "—")]
)
def test_a_difference_of_scores_carries_its_sign_unless_it_is_nothing(value, said):
    assert Formats("zh").signed_score(value) == said


def test_what_rounding_leaves_over_goes_to_the_part_it_wronged_most():
    """0.334 + 0.333 + 0.333 is 1.00 and would print as 0.99; 0.005 twice would print as 0.02 of 0.01."""
    assert apportioned([0.334, 0.333, 0.333], Decimal("1.00")) == [Decimal("0.34"), Decimal("0.33"), Decimal("0.33")]
    assert apportioned([0.005, 0.005], Decimal("0.01")) == [Decimal("0.00"), Decimal("0.01")]


def test_a_part_of_nothing_is_printed_as_nothing():
    assert apportioned([0.0, 0.004, 0.004], Decimal("0.01"))[0] == Decimal("0.00")
    assert apportioned([], Decimal("0.01")) == []


@given(strategies.lists(strategies.floats(-100, 100), min_size=1, max_size=40))
def test_printed_parts_add_up_to_the_printed_whole(parts):
    """And none is farther than a hundredth from what it is."""
    whole = rounded(sum(parts), 2)
    shown = apportioned(parts, whole)
    if any(parts):
        assert sum(shown) == whole
    assert all(abs(part - Decimal(exact)) < Decimal("0.0151") for part, exact in zip(shown, parts, strict=True))
