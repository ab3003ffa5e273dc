"""Posts whose date was changed between the readings of two months, so that both have them."""

from datetime import UTC, date, datetime

import pytest

from smi_pipeline.collectors.records import AccountResult
from smi_pipeline.defs.edition import _COLLECTION_IDS
from smi_pipeline.lake.collections import Asking, Subject, moved_posts, open_collection
from smi_pipeline.lake.connection import LakeError
from smi_pipeline.lake.frames import read_frame
from smi_pipeline.lake.privacy import forget
from smi_pipeline.registry.models import Account
from smi_pipeline.sql.run import run_model

MAY, JUNE, JULY = (date(2025, month, 1) for month in (5, 6, 7))


def seen(day):
    return datetime(2025, 8, day, tzinfo=UTC)


def collected(lake, month, at, *posts, cut="final", source="api", account="a", platform="x", force=True):
    """A finished collection of one account's posts, all read at one instant."""
    subject = Subject(platform, month, cut, synthetic=True, source=source)
    who = Account(city_id="c", platform=platform, handle=account, account_id=account)
    collection, _ = open_collection(lake, subject, [who], force=force)
    common = {"account_id": account, "platform_account_id": account, "observed_at": at, "payload": "{}"}
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


def test_two_months_that_read_a_post_at_one_time_do_not_lose_it_where_the_first_goes_on(staged):
    """As two files of a vendor may; an account is added to May's collection after June's has ended."""
    collected(staged, MAY, seen(1), "moves")
    collected(staged, JUNE, seen(1), "moves")
    collected(staged, MAY, seen(1), "other", account="b", force=False)
    assert counted(staged) == [(MAY, "other"), (JUNE, "moves")]


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


@pytest.mark.parametrize("order", ["June in between", "June last"])
def test_a_post_dated_in_another_month_now_is_not_deleted(staged, graph, order):
    collected(staged, MAY, seen(1), "moves", "goes", cut="provisional")
    if order == "June in between":
        collected(staged, JUNE, seen(2), "moves")
    collected(staged, MAY, seen(3))
    if order == "June last":
        collected(staged, JUNE, seen(4), "moves")
    run_model(staged, graph.project["intermediate.int_deleted_posts"], MAY)
    with staged.read() as cursor:
        gone = read_frame(cursor, "select post_id from intermediate.int_deleted_posts").rows()
    assert gone == [("goes",)]


def test_an_edition_rests_on_the_collection_that_took_a_post_from_its_month(staged):
    """Made again from a snapshot before it, the month would count the post once more."""

    def rests_on():
        span = {"carried": date(2025, 3, 1), "previous": date(2025, 4, 1), "month": MAY}
        with staged.read() as cursor:
            return [one for (one,) in cursor.execute(_COLLECTION_IDS, span).fetchall()]

    collected(staged, MAY, seen(1), "moves")
    collected(staged, JUNE, seen(2), "own")
    assert rests_on() == ["2025-05.x.0001"]
    collected(staged, JUNE, seen(3), "moves")
    assert rests_on() == ["2025-05.x.0001", "2025-06.x.0002"]
    collected(staged, JUNE, seen(4), "own")  # and on the one that gave it back
    assert rests_on() == ["2025-05.x.0001", "2025-06.x.0003"]


def test_an_account_is_not_forgotten_before_the_month_that_a_post_has_left_is_derived_again(staged, graph):
    """Its kept sums would count the post in both months for good."""
    model = graph.project["intermediate.int_account_month_posts"]
    collected(staged, MAY, seen(1), "moves")
    run_model(staged, model, MAY)
    collected(staged, JUNE, seen(2), "moves")
    run_model(staged, model, JUNE)
    with pytest.raises(LakeError, match=r"2025-05: 0 posts, sums of 1; nothing was removed"):
        forget(staged, "x", "a", reason="asked for", removed_at=seen(3))
    run_model(staged, model, MAY)
    forget(staged, "x", "a", reason="asked for", removed_at=seen(3))
    with staged.read() as cursor:
        kept = read_frame(cursor, "select month, posts from raw.forgotten_sums where posts > 0").rows()
    assert kept == [(JUNE, 1)]


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
