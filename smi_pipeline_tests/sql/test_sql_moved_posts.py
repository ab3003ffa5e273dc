"""Posts whose date was changed between the readings of two months, so that both have them."""

from datetime import UTC, date, datetime

import pytest

from smi_pipeline.collectors.records import AccountResult
from smi_pipeline.lake.collections import Asking, Subject, moved_posts, open_collection
from smi_pipeline.lake.frames import read_frame
from smi_pipeline.lake.privacy import forget
from smi_pipeline.registry.models import Account
from smi_pipeline.sql.run import run_model

MAY, JUNE, JULY = (date(2025, month, 1) for month in (5, 6, 7))


def seen(day):
    return datetime(2025, 8, day, tzinfo=UTC)


def collected(lake, month, at, *posts, cut="final", source="api", account="a", platform="x"):
    """A finished collection of one account's posts, all read at one instant."""
    subject = Subject(platform, month, cut, synthetic=True, source=source)
    who = Account(city_id="c", platform=platform, handle=account, account_id=account)
    collection, _ = open_collection(lake, subject, [who], force=True)
    common = {"account_id": account, "platform_account_id": "9", "observed_at": at, "payload": "{}"}
    if source == "files":
        common["platform"] = platform
    rows = [{**common, subject.post_key: post} for post in posts]
    collection.append([AccountResult(who, "answered", None, at, [dict(common)], rows)], Asking(), last=True)
    return collection.state.collection_id


def counted(lake):
    """The month and id of every post that counts."""
    with lake.read() as cursor:
        return read_frame(cursor, "select month, post_id from staging.stg_posts order by all").rows()


def test_a_post_counts_in_the_month_whose_collection_read_it_last(staged):
    collected(staged, MAY, seen(1), "stays", "moves")
    collected(staged, JUNE, seen(2), "moves", "own")
    assert counted(staged) == [(MAY, "stays"), (JUNE, "moves"), (JUNE, "own")]
    assert moved_posts(staged, [JUNE]) == [("x", JUNE, MAY, 1)]


def test_the_later_reading_decides_although_its_collection_ended_first(staged):
    collected(staged, JUNE, seen(2), "moves")
    collected(staged, MAY, seen(1), "moves")
    assert counted(staged) == [(JUNE, "moves")]
    assert moved_posts(staged, [MAY]) == []


@pytest.mark.parametrize("later", [3, 2])
def test_a_month_that_is_collected_again_has_its_posts_back_where_they_are_in_it(staged, later):
    """Also when both readings bear one time, as two files of a vendor may: the collection that ended last."""
    collected(staged, MAY, seen(1), "moves")
    collected(staged, JUNE, seen(2), "moves")
    collected(staged, MAY, seen(later), "moves")
    assert counted(staged) == [(MAY, "moves")]


def test_a_month_counts_a_post_again_that_the_other_month_has_no_longer(staged):
    collected(staged, MAY, seen(1), "moves")
    collected(staged, JUNE, seen(2), "moves", cut="provisional")
    collected(staged, JUNE, seen(3), "own")
    assert counted(staged) == [(MAY, "moves"), (JUNE, "own")]
    assert moved_posts(staged, [JUNE]) == []


def test_of_three_months_that_have_a_post_one_counts_it(staged):
    collected(staged, MAY, seen(2), "moves")
    collected(staged, JULY, seen(3), "moves")
    collected(staged, JUNE, seen(1), "moves")
    assert counted(staged) == [(JULY, "moves")]


def test_a_vendors_month_and_the_platforms_own_are_compared_and_two_platforms_are_not(staged):
    collected(staged, MAY, seen(1), "7", source="files", platform="tiktok")
    collected(staged, MAY, seen(1), "7", platform="x")
    collected(staged, JUNE, seen(2), 7, platform="tiktok")
    with staged.read() as cursor:
        rows = read_frame(cursor, "select platform, month from staging.stg_posts order by all").rows()
    assert rows == [("tiktok", JUNE), ("x", MAY)]


def test_a_post_dated_in_another_month_now_is_not_deleted(staged, graph):
    collected(staged, MAY, seen(1), "moves", "goes", cut="provisional")
    collected(staged, JUNE, seen(2), "moves")
    collected(staged, MAY, seen(3))
    run_model(staged, graph.project["intermediate.int_deleted_posts"], MAY)
    with staged.read() as cursor:
        gone = read_frame(cursor, "select post_id from intermediate.int_deleted_posts").rows()
    assert gone == [("goes",)]


def test_a_forgotten_accounts_posts_are_not_named_among_the_moved(staged, graph):
    for month, day in ((MAY, 1), (JUNE, 2)):
        collected(staged, month, seen(day), "moves")
    collected(staged, JUNE, seen(3), "moves", "other", account="b", platform="instagram")
    collected(staged, MAY, seen(2), "other", account="b", platform="instagram")
    for month in (MAY, JUNE):
        run_model(staged, graph.project["intermediate.int_account_month_posts"], month)
    forget(staged, "x", "a", reason="asked for", removed_at=seen(4))
    with staged.read() as cursor:
        assert read_frame(cursor, "select post_id from raw.moved_post").rows() == [("other",)]
