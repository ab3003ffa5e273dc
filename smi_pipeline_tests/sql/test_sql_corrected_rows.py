"""Rows of accounts.csv that are corrected after their month was collected: only they are requested again."""

from datetime import UTC, date, datetime

import pytest

from smi_pipeline.collectors.records import AccountResult
from smi_pipeline.lake.collections import Asking, Subject, open_collection
from smi_pipeline.lake.frames import read_frame
from smi_pipeline.registry.models import Account

MAY = date(2025, 5, 1)


def seen(hour):
    return datetime(2025, 6, 1, hour, tzinfo=UTC)


def named(key, handle):
    return Account(city_id="c", platform="x", handle=handle, account_id=key)


def collect(lake, accounts, platforms_answers, at):
    """Collect those that are missing. Answers: the platform's own id and the posts of a handle; null where it fails.

    Returns:
        The handles that were requested, and the state the collection came to.
    """
    collection, missing = open_collection(lake, Subject("x", MAY, "final", synthetic=True), accounts, force=False)
    results = []
    for account in missing:
        if (answer := platforms_answers[account.handle]) is None:
            results.append(AccountResult(account, "failed", "HTTP 500", at))
            continue
        own_id, *posts = answer
        row = {"account_id": account.account_id, "platform_account_id": own_id, "observed_at": at, "payload": "{}"}
        rows = [{**row, "id": post, "like_count": 1} for post in posts]
        figures = [{**row, "id": own_id, "followers_count": int(own_id)}]
        results.append(AccountResult(account, "answered", None, at, figures, rows))
    if missing:
        collection.append(collection.each_once(results), Asking(), last=True)
    return [account.handle for account in missing], collection.state.status


def counted(lake):
    with lake.read() as cursor:
        sql = "select account_id, post_id, observed_at from staging.stg_posts order by all"
        return read_frame(cursor, sql).rows()


def test_of_an_account_read_under_a_wrong_handle_only_what_the_right_one_leads_to_counts(staged):
    """Their ids are 3 and 5: an impostor with a post of its own and one that both have."""
    assert collect(staged, [named("a", "fake"), named("b", "b")], {"fake": ("3", "p1", "p2"), "b": ("7", "q")}, seen(1))
    right = [named("a", "real"), named("b", "b")]
    assert collect(staged, right, {"real": ("5", "p2", "p3")}, seen(2)) == (["real"], "finished")

    assert counted(staged) == [("a", "p2", seen(2)), ("a", "p3", seen(2)), ("b", "q", seen(1))]
    assert collect(staged, right, {}, seen(3)) == ([], "finished")


def test_a_request_that_fails_leaves_what_was_read_before_and_is_repeated(staged):
    collect(staged, [named("a", "fake")], {"fake": ("3", "p1")}, seen(1))
    right = [named("a", "real")]
    assert collect(staged, right, {"real": None}, seen(2)) == (["real"], "finished")
    assert counted(staged) == [("a", "p1", seen(1))]
    assert collect(staged, right, {"real": ("5",)}, seen(3)) == (["real"], "finished")
    assert counted(staged) == []


def test_an_account_that_only_has_another_name_now_keeps_what_was_read_when_the_month_was_collected(staged):
    collect(staged, [named("a", "old")], {"old": ("3", "p1", "p2")}, seen(1))
    renamed = [named("a", "new")]
    assert collect(staged, renamed, {"new": ("3", "p1")}, seen(9)) == (["new"], "finished")
    assert counted(staged) == [("a", "p1", seen(1)), ("a", "p2", seen(1))]
    assert collect(staged, renamed, {}, seen(10)) == ([], "finished")


def test_an_account_whose_own_id_the_registry_has_is_not_requested_again_for_another_name(staged):
    collect(staged, [named("3", "old")], {"old": ("3", "p1")}, seen(1))
    assert collect(staged, [named("3", "new")], {}, seen(2)) == ([], "finished")


@pytest.mark.parametrize("wrong", ["a", "b"])
def test_either_of_two_rows_that_led_to_one_account_can_be_corrected_without_force(staged, wrong):
    answers = {"one": ("3", "p1"), "two": ("3", "p1"), "right": ("5", "p2")}
    assert collect(staged, [named("a", "one"), named("b", "two")], answers, seen(1)) == (["one", "two"], "failed")

    handles = {"a": "one", "b": "two"} | {wrong: "right"}
    accounts = [named(key, handle) for key, handle in handles.items()]
    assert collect(staged, accounts, answers, seen(2))[1] == "finished"
    other = "b" if wrong == "a" else "a"
    assert {(key, post) for key, post, _ in counted(staged)} == {(wrong, "p2"), (other, "p1")}
