import subprocess
import sys
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from smi import PROJECT, environment

from smi_pipeline.collectors.records import CollectionError, Deferred
from smi_pipeline.definitions import defs
from smi_pipeline.defs.failures import RESUME_AT, told_clearly
from smi_pipeline.defs.raw import cut_of, valid_accounts
from smi_pipeline.months import Month
from smi_pipeline.registry.models import Account

SHANGHAI = ZoneInfo("Asia/Shanghai")
MAY = Month.parse("2025-05")


@pytest.fixture(scope="module")
def repository():
    return defs().get_repository_def()


def tick(repository, *when, name="monthly"):
    schedule = repository.get_schedule_def(name)
    context = dg.build_schedule_context(
        scheduled_execution_time=datetime(*when, tzinfo=SHANGHAI), repository_def=repository
    )
    return schedule.evaluate_tick(context)


@pytest.mark.parametrize(("day", "cut"), [(3, "provisional"), (10, "final")])
def test_the_schedule_asks_for_the_month_that_has_just_ended_with_its_cut(repository, day, cut):
    [request] = tick(repository, 2025, 6, day, 6).run_requests
    assert request.partition_key == "2025-05"
    assert request.run_key == f"2025-05-{cut}"
    assert request.tags["smi/month"] == "2025-05"
    assert {op["config"]["cut"] for op in request.run_config["ops"].values()} == {cut}
    assert set(request.run_config["ops"]) == {f"raw__{p}" for p in ("facebook", "x", "instagram", "youtube", "tiktok")}


@pytest.mark.parametrize(
    ("when", "month", "cut"),
    [
        ((2026, 1, 3), "2025-12", "provisional"),
        ((2026, 1, 10), "2025-12", "final"),
        ((2024, 7, 3), "2024-06", "provisional"),
        ((2028, 3, 10), "2028-02", "final"),
    ],
)
def test_the_month_is_the_one_before_across_years_and_leap_days(repository, when, month, cut):
    [request] = tick(repository, *when, 6).run_requests
    assert (request.partition_key, request.run_key) == (month, f"{month}-{cut}")


@pytest.mark.parametrize(("when", "day"), [((2025, 5, 31), "2025-05-31"), ((2025, 6, 1), "2025-06-01")])
def test_the_figures_of_a_day_are_asked_for_on_it(repository, when, day):
    [request] = tick(repository, *when, 6, name="daily").run_requests
    assert (request.partition_key, request.run_key, request.tags["smi/day"]) == (day, day, day)


def test_everything_is_off_until_somebody_switches_it_on(repository):
    assert {schedule.default_status.value for schedule in repository.schedule_defs} == {"STOPPED"}
    assert {sensor.default_status.value for sensor in repository.sensor_defs} == {"STOPPED"}


def test_one_setting_switches_everything_on():
    program = (
        "from smi_pipeline.definitions import defs\n"
        "made = defs().get_repository_def()\n"
        "print({one.default_status.value for one in [*made.schedule_defs, *made.sensor_defs]})"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env=environment(SMI_UNATTENDED="yes"), cwd=PROJECT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "{'RUNNING'}"


def test_the_schedule_says_why_it_asks_for_nothing_before_the_first_month(repository):
    result = tick(repository, 2024, 5, 3, 6)
    assert not result.run_requests
    assert "2024-04 lies before the first partition" in result.skip_message


def test_the_schedule_ticks_at_six_in_shanghai_on_both_days(repository):
    schedule = repository.get_schedule_def("monthly")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 6 3,10 * *", "Asia/Shanghai")


def test_the_cut_follows_from_the_day_of_the_run():
    assert cut_of(MAY, None, datetime(2025, 6, 3, tzinfo=UTC)) == "provisional"
    assert cut_of(MAY, None, datetime(2025, 6, 9, 21, 59, tzinfo=UTC)) == "provisional"
    assert cut_of(MAY, None, datetime(2025, 6, 9, 22, 0, tzinfo=UTC)) == "final"
    assert cut_of(MAY, "provisional", datetime(2026, 1, 1, tzinfo=UTC)) == "provisional"


def test_a_month_that_is_not_over_cannot_be_collected():
    with pytest.raises(CollectionError, match="2025-05 is not over in Asia/Shanghai"):
        cut_of(MAY, None, datetime(2025, 5, 31, 15, 59, tzinfo=UTC))
    for given in ("provisional", "final"):  # nor is the question skipped where the cut is given
        with pytest.raises(CollectionError, match="2025-05 is not over in Asia/Shanghai"):
            cut_of(MAY, given, datetime(2025, 5, 31, 15, 59, tzinfo=UTC))
    with pytest.raises(CollectionError, match="not 'early'"):
        cut_of(MAY, "early", datetime(2025, 7, 1, tzinfo=UTC))


def test_accounts_valid_on_any_day_of_the_month_are_asked():
    def account(handle, platform="x", **span):
        return Account(city_id="1", platform=platform, handle=handle, account_id=handle, **span)

    accounts = [
        account("whole"),
        account("other", platform="youtube"),
        account("last_day", valid_from="2025-05-31"),
        account("next_month", valid_from="2025-06-01"),
        account("first_day", valid_to="2025-05-02"),
        account("over", valid_to="2025-05-01"),
    ]
    assert [a.handle for a in valid_accounts(accounts, "x", MAY)] == ["whole", "last_day", "first_day"]


def test_an_account_that_was_renamed_within_the_month_is_asked_once_and_by_its_last_name():
    rows = [("old", None, "2025-05-15"), ("newest", "2025-05-20", None), ("new", "2025-05-15", "2025-05-20")]
    accounts = [
        Account.model_validate(
            {"city_id": "1", "platform": "x", "handle": handle, "account_id": "77"}
            | {name: day for name, day in (("valid_from", since), ("valid_to", until)) if day}
        )
        for handle, since, until in rows
    ]
    assert [a.handle for a in valid_accounts(accounts, "x", MAY)] == ["newest"]
    assert [a.handle for a in valid_accounts(accounts, "x", Month.parse("2025-04"))] == ["old"]


def test_an_expected_failure_keeps_its_words_and_is_not_retried():
    with pytest.raises(dg.Failure) as caught, told_clearly():
        raise CollectionError("x: no credential", remedy="set SMI_X_BEARER_TOKEN")
    assert caught.value.description == "x: no credential; set SMI_X_BEARER_TOKEN"
    assert caught.value.allow_retries is False


def test_a_deferral_carries_the_time_to_come_back():
    with pytest.raises(dg.Failure) as caught, told_clearly():
        raise Deferred("quota used up", resume_at=datetime(2025, 6, 4, 7, tzinfo=UTC))
    assert caught.value.metadata[RESUME_AT].value == "2025-06-04T07:00:00+00:00"


def test_a_bug_is_not_dressed_up_as_an_expected_failure():
    with pytest.raises(ZeroDivisionError), told_clearly():
        _ = 1 / 0
