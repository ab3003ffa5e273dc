"""Rows of accounts.csv that are corrected after their month was collected: only they are requested again."""

import json
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from smi_pipeline.collectors.records import AccountResult, Rejected
from smi_pipeline.lake.collections import Asking, Subject, open_collection
from smi_pipeline.lake.frames import read_frame
from smi_pipeline.lake.reparse import reparse_month
from smi_pipeline.months import Month
from smi_pipeline.registry.models import Account
from smi_pipeline.sql.run import run_model

MAY = date(2025, 5, 1)
METRICS = ("followers_count", "following_count", "tweet_count", "listed_count")
POST = {
    "text": "t",
    "author_id": "0",
    "created_at": "2025-05-03T00:00:00.000Z",
    "public_metrics": dict.fromkeys(("retweet_count", "reply_count", "like_count", "quote_count"), 1),
}


def seen(hour):
    return datetime(2025, 6, 1, hour, tzinfo=UTC)


def named(key, handle):
    return Account(city_id="c", platform="x", handle=handle, account_id=key)


def collect(lake, accounts, platforms_answers, at, cut="final", *, force=False):
    """Collect those that are missing. Answers: the platform's own id and the posts of a handle, or what else came of it.

    Returns:
        The handles that were requested, and the state the collection came to.
    """
    collection, missing = open_collection(lake, Subject("x", MAY, cut, synthetic=True), accounts, force=force)
    results = []
    for account in missing:
        if isinstance(answer := platforms_answers[account.handle], str):
            results.append(AccountResult(account, answer, "said the platform", at))
            continue
        own_id, *posts = answer
        row = {"account_id": account.account_id, "platform_account_id": own_id, "observed_at": at, "payload": "{}"}
        rows = [{**row, "id": post, "like_count": 1} for post in posts]
        figures = [{**row, "id": own_id, "followers_count": int(own_id)}]
        odd = [Rejected(account.account_id, None, "id", own_id, "malformed", at, "{}")] if own_id == "3" else []
        results.append(AccountResult(account, "answered", None, at, figures, rows, odd))
    if missing:
        collection.append(collection.each_once(results), Asking(), last=True)
    elif collection.state.status != "finished":
        collection.close()
    return [account.handle for account in missing], collection.state.status


def rows(lake, sql):
    with lake.read() as cursor:
        return read_frame(cursor, sql).rows()


def counted(lake):
    return rows(lake, "select account_id, post_id, observed_at from staging.stg_posts order by all")


def test_of_an_account_read_under_a_wrong_handle_only_what_the_right_one_leads_to_counts(staged):
    """Their ids are 3 and 5: an impostor with a post of its own and one that both have."""
    assert collect(staged, [named("a", "fake"), named("b", "b")], {"fake": ("3", "p1", "p2"), "b": ("7", "q")}, seen(1))
    right = [named("a", "real"), named("b", "b")]
    assert collect(staged, right, {"real": ("5", "p2", "p3")}, seen(2)) == (["real"], "finished")

    assert counted(staged) == [("a", "p2", seen(2)), ("a", "p3", seen(2)), ("b", "q", seen(1))]
    figures = rows(staged, "select account_id, followers from staging.stg_accounts order by all")
    assert figures == [("a", 5), ("b", 7)]
    assert rows(staged, "select account_id from staging.stg_rejected") == []
    sightings = rows(staged, "select account_id, post_id from staging.stg_sightings order by all")
    assert sightings == [("a", "p2"), ("a", "p3"), ("b", "q")]
    assert collect(staged, right, {}, seen(3)) == ([], "finished")


def test_a_request_that_fails_leaves_what_was_read_before_and_is_repeated(staged):
    collect(staged, [named("a", "fake")], {"fake": ("3", "p1")}, seen(1))
    right = [named("a", "real")]
    assert collect(staged, right, {"real": "failed"}, seen(2)) == (["real"], "finished")
    assert counted(staged) == [("a", "p1", seen(1))]
    assert collect(staged, right, {"real": ("5",)}, seen(3)) == (["real"], "finished")
    assert counted(staged) == []


def test_an_account_that_only_has_another_name_now_keeps_what_was_read_when_the_month_was_collected(staged):
    collect(staged, [named("a", "old")], {"old": ("3", "p1", "p2")}, seen(1))
    renamed = [named("a", "new")]
    assert collect(staged, renamed, {"new": ("3", "p1")}, seen(9)) == (["new"], "finished")
    assert counted(staged) == [("a", "p1", seen(1)), ("a", "p2", seen(1))]
    assert collect(staged, renamed, {}, seen(10)) == ([], "finished")


@pytest.mark.parametrize("between", ["failed", "missing"])
def test_nor_does_it_lose_them_where_a_request_under_the_new_name_came_to_nothing_at_first(staged, between):
    collect(staged, [named("a", "old")], {"old": ("3", "p1", "p2")}, seen(1))
    for name, answer, hour in (("typo", between, 2), ("new", ("3", "p1"), 3)):
        assert collect(staged, [named("a", name)], {name: answer}, seen(hour)) == ([name], "finished")
    assert counted(staged) == [("a", "p1", seen(1)), ("a", "p2", seen(1))]


def test_payloads_read_again_are_those_of_the_right_account(staged):
    user = {"id": "0", "username": "u", "name": "n", "public_metrics": dict.fromkeys(METRICS, 1)}
    collect(staged, [named("a", "fake"), named("b", "b")], {"fake": ("3", "1"), "b": ("7", "2")}, seen(1))
    collect(staged, [named("a", "real"), named("b", "b")], {"real": ("5", "3")}, seen(2))
    with staged.write("payloads as X sends them") as transaction:
        for table, payload in (("raw.x_accounts", user), ("raw.x_posts", POST)):
            transaction.cursor.execute(
                f"update {table} set payload = json_merge_patch($1::json, json_object('id', id))", [json.dumps(payload)]
            )
    reparse_month(staged, "x", Month.parse("2025-05"), ZoneInfo("UTC"))
    assert [(key, post) for key, post, _ in counted(staged)] == [("a", "3"), ("b", "2")]


def test_posts_of_an_account_that_was_read_by_mistake_are_not_deleted_ones(staged, graph):
    collect(staged, [named("a", "fake")], {"fake": ("3", "p1")}, seen(1), "provisional")
    collect(staged, [named("a", "real")], {"real": ("5", "p2")}, seen(2), "final")
    run_model(staged, graph.project["intermediate.int_deleted_posts"], MAY)
    assert rows(staged, "select post_id from intermediate.int_deleted_posts") == []


def test_two_handles_that_were_swapped_and_put_right_share_no_posts(staged):
    answers = {"one": ("3", "p1"), "two": ("5", "p2")}
    collect(staged, [named("a", "two"), named("b", "one")], answers, seen(1))
    assert collect(staged, [named("a", "one"), named("b", "two")], answers, seen(2))[1] == "finished"
    assert counted(staged) == [("a", "p1", seen(2)), ("b", "p2", seen(2))]


@pytest.mark.parametrize("left", ["a", "b"])
def test_of_two_rows_that_led_to_one_account_either_may_be_taken_out(staged, left):
    answers = {"one": ("3", "p1"), "two": ("3", "p1")}
    both = [named("a", "one"), named("b", "two")]
    collect(staged, both, answers, seen(1))
    assert collect(staged, [one for one in both if one.account_id == left], answers, seen(2))[1] == "finished"
    assert [(key, post) for key, post, _ in counted(staged)] == [(left, "p1")]


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
