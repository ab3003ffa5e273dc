from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smi_pipeline.months import Month, month_range

SHANGHAI = ZoneInfo("Asia/Shanghai")
ZONES = st.sampled_from(
    [ZoneInfo(n) for n in ("UTC", "Asia/Shanghai", "America/Los_Angeles", "Asia/Kathmandu", "Europe/Paris")]
)
INSTANTS = st.integers(min_value=0, max_value=2**31).map(lambda second: datetime.fromtimestamp(second, tz=UTC))


def test_may_in_shanghai_begins_on_the_last_afternoon_of_april_in_utc():
    may = Month.parse("2025-05")
    assert may.start(SHANGHAI) == datetime(2025, 4, 30, 16, tzinfo=UTC)
    assert may.end(SHANGHAI) == datetime(2025, 5, 31, 16, tzinfo=UTC)


def test_the_final_cut_is_six_in_the_morning_of_the_tenth():
    assert Month.parse("2025-12").cut(SHANGHAI, 10) == datetime(2026, 1, 9, 22, tzinfo=UTC)


def test_a_leap_february_has_29_days():
    february = Month.parse("2024-02")
    assert (february.end(SHANGHAI) - february.start(SHANGHAI)).days == 29


@given(INSTANTS, ZONES)
def test_every_instant_lies_in_exactly_one_month(instant, zone):
    month = Month.of(instant, zone)
    assert month.start(zone) <= instant < month.end(zone)
    assert month.previous.end(zone) == month.start(zone)


@given(st.dates(min_value=date(1980, 1, 1), max_value=date(2100, 1, 1)))
def test_next_and_previous_undo_each_other_and_keys_sort_by_time(day):
    month = Month(day.replace(day=1))
    assert month.next.previous == month
    assert Month.parse(month.key) == month
    assert month.key < month.next.key


@pytest.mark.parametrize("text", ["2025-13", "2025-5", "202505", "2025-05-01", "", "2025-00"])
def test_anything_but_year_and_month_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="like 2025-05"):
        Month.parse(text)


def test_a_range_has_both_its_ends():
    assert [m.key for m in month_range(Month.parse("2024-11"), Month.parse("2025-02"))] == [
        "2024-11",
        "2024-12",
        "2025-01",
        "2025-02",
    ]
    with pytest.raises(ValueError, match="before it begins"):
        month_range(Month.parse("2025-02"), Month.parse("2025-01"))
