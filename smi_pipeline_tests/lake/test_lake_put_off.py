"""When a platform may be asked again must be known from the lake alone: the run that was put off is long gone."""

from datetime import UTC, date, datetime

import pytest

from smi_pipeline.lake.collections import collected, deferrals

NOON = datetime(2025, 6, 3, 12, tzinfo=UTC)
MIDNIGHT = datetime(2025, 6, 4, 7, tzinfo=UTC)
NEXT_MONTH = datetime(2025, 7, 1, tzinfo=UTC)
MAY = date(2025, 5, 1)


@pytest.fixture
def log(lake):
    """Writes states of collections as they are logged: number, platform, status, until when, of which day."""

    def write(*states):
        with lake.write("states of collections") as transaction:
            for number, platform, status, resume_at, day in states:
                transaction.cursor.execute(
                    "insert into raw.collection_log by name select $1 as collection_id, $2 as platform,"
                    " $3::date as month, 'final' as cut, $4 as status, $5::timestamptz as recorded_at,"
                    " $6::timestamptz as resume_at, $7::date as day",
                    [number, platform, MAY, status, NOON, resume_at, day],
                )

    return write


def test_a_month_waits_for_the_first_platform_that_may_be_asked_again(lake, log):
    log(
        ("1", "youtube", "deferred", MIDNIGHT, None),
        ("2", "x", "deferred", NEXT_MONTH, None),
        ("3", "tiktok", "finished", None, None),
    )
    assert deferrals(lake) == {"2025-05": MIDNIGHT}


def test_what_has_gone_on_since_waits_no_more(lake, log):
    log(("1", "youtube", "deferred", MIDNIGHT, None), ("2", "youtube", "finished", None, None))
    assert deferrals(lake) == {}


def test_a_days_figures_wait_by_themselves(lake, log):
    log(("1", "youtube", "deferred", MIDNIGHT, date(2025, 5, 31)))
    assert deferrals(lake) == {"2025-05-31": MIDNIGHT}


def test_a_months_and_a_days_collections_are_not_taken_for_each_other(lake, log):
    log(("1", "x", "finished", None, date(2025, 5, 31)), ("2", "youtube", "deferred", MIDNIGHT, None))
    assert collected(lake, MAY, date(2025, 5, 31))
    assert not collected(lake, MAY)
    assert not collected(lake, MAY, date(2025, 5, 30))
