"""What is removed on purpose is gone, and no figure moves: on both kinds of lake."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from lake.test_lake_collections import MAY, SEEN, Script, answered, run

from smi_pipeline.collectors.records import Rejected
from smi_pipeline.defs.models import derive_intermediate, graph
from smi_pipeline.lake.connection import Lake, LakeError
from smi_pipeline.lake.privacy import accounts_called, forget, forgotten, purge, removals, remove_payloads, still_held
from smi_pipeline.lake.reparse import reparse_month
from smi_pipeline.sql.run import build_views
from smi_pipeline.sums import SumTooGreat

NOW = datetime(2026, 11, 26, tzinfo=UTC)
JUNE = date(2025, 6, 1)
CANARY = "zzzz SMI_CANARY words of their own"


def said(lake, sql):
    with lake.read() as cursor:
        return cursor.execute(sql).fetchall()


def post(name, number, likes, **fields):
    body = {"id": f"{number}", "text": CANARY if name == "a" else "hello", "likes": likes}
    row = {
        "account_id": name,
        "platform_account_id": "9",
        "observed_at": SEEN,
        "id": f"{number}",
        "created_at": "2025-05-03T00:00:00.000Z",
        "text": body["text"],
        "like_count": likes,
        "payload": json.dumps(body),
    }
    return row | fields


def collected(lake, **options):
    """Three posts of a, with 8 likes and one count withheld; two of b."""
    a = replace(
        answered("a"),
        posts=[post("a", 1, 3), post("a", 2, None), post("a", 3, 5)],
        rejected=[
            Rejected("a", "3", "view_count", '"12K"', "bad count", SEEN, json.dumps({"text": CANARY, "id": "3"})),
            Rejected("a", None, "id", None, "malformed", SEEN, json.dumps({"text": CANARY})),
            Rejected("a", None, "id", None, "malformed", SEEN, json.dumps({"text": CANARY, "other": 1})),
        ],
    )
    b = replace(answered("b"), posts=[post("b", 4, 1), post("b", 5, 2)])
    run(lake, Script(a, b), "ab", **options)
    build_views(lake, graph())


FIGURES = (
    "from intermediate.int_account_month_posts order by all",
    "from intermediate.int_account_rejects order by all",
    "select account_id, followers, observed_at from staging.stg_accounts order by all",
)


def figures(lake):
    derive_intermediate(lake, [MAY])
    return [said(lake, sql) for sql in FIGURES]


def test_payloads_go_and_every_column_and_view_says_the_same(lake):
    collected(lake)
    before = figures(lake), said(lake, "from staging.stg_posts order by all")
    done = remove_payloads(lake, JUNE, reason="older than 12 months", removed_at=NOW)
    assert (done.rows, done.months) == (5 + 2 + 3, [MAY.first])
    assert (figures(lake), said(lake, "from staging.stg_posts order by all")) == before
    assert said(lake, "select count(*), count(payload), count(like_count) from raw.x_posts") == [(5, 0, 4)]
    assert said(lake, "select kind, account_id, posts, accounts, rejected, reason, removed_at from raw.removed") == [
        ("payloads", None, 5, 2, 3, "older than 12 months", NOW)
    ]
    assert remove_payloads(lake, JUNE, reason="again", removed_at=NOW).rows == 0
    assert said(lake, "select count(*) from raw.removed") == [(1,)]


def test_younger_payloads_stay(lake):
    collected(lake)
    assert remove_payloads(lake, MAY.first, reason="older", removed_at=NOW).rows == 0
    assert said(lake, "select count(payload) from raw.x_posts") == [(5,)]


def test_a_facebook_post_without_shares_still_has_none_rather_than_unknown_ones(lake):
    """The only zero that is read off a payload's silence: staging asks the payload, so that much of it stays."""
    with lake.write("posts") as transaction:
        transaction.cursor.execute(
            "insert into raw.collection_log (collection_id, platform, month, cut, status, finished_at, recorded_at)"
            " values ('2025-05.facebook.0001', 'facebook', date '2025-05-01', 'final', 'finished', now(), now())"
        )
        for number, payload in enumerate(('{"message": "SMI"}', '{"message": "SMI", "shares": {"count": "x"}}')):
            transaction.cursor.execute(
                "insert into raw.facebook_posts (collection_id, month, account_id, id, observed_at, payload)"
                " values ('2025-05.facebook.0001', date '2025-05-01', 'a', $1, now(), $2)",
                [str(number), payload],
            )
    build_views(lake, graph())
    shares = "select post_id, shares from staging.stg_facebook_posts order by 1"
    assert said(lake, shares) == [("0", 0), ("1", None)]
    remove_payloads(lake, JUNE, reason="older", removed_at=NOW)
    assert said(lake, shares) == [("0", 0), ("1", None)]
    assert said(lake, "select count(*) from raw.facebook_posts where payload::varchar like '%SMI%'") == [(0,)]
    assert remove_payloads(lake, JUNE, reason="again", removed_at=NOW).rows == 0


def test_a_month_without_payloads_is_not_read_again_but_says_why(lake):
    collected(lake)
    remove_payloads(lake, JUNE, reason="older than 12 months", removed_at=NOW)
    with pytest.raises(
        LakeError, match=r"2025-05\.x\.0001: payloads were removed on 2026-11-26 \(older than 12 months\)"
    ):
        reparse_month(lake, "x", MAY, ZoneInfo("UTC"))
    assert said(lake, "select count(distinct collection_id) from raw.collection_log") == [(1,)]


def test_a_forgotten_accounts_posts_go_and_its_sums_are_derived_as_before(lake):
    collected(lake, cut="provisional")
    collected(lake)
    before = figures(lake)
    assert before[0][0][:10] == ("x", "a", MAY.first, False, 3, 0, 8, None, None, None)
    done = forget(lake, "x", "a", reason="its owner asked", removed_at=NOW)
    assert done.months == [MAY.first]
    assert figures(lake) == before
    assert said(lake, "select account_id, count(*) from raw.x_posts group by 1") == [("b", 4)]
    assert said(lake, "select account_id, count(payload) from raw.x_accounts group by 1 order by 1") == [
        ("a", 0),
        ("b", 2),
    ]
    assert said(lake, "select kind, account_id, collection_id, posts from raw.removed order by 3") == [
        ("account", "a", "2025-05.x.0001", 3),
        ("account", "a", "2025-05.x.0002", 3),
    ]
    with lake.read() as cursor:
        [told] = removals(cursor, "2025-05.x.0002", "a")
        assert "posts and payloads of a were removed on 2026-11-26 (its owner asked)" in str(told)
        assert removals(cursor, "2025-05.x.0002", "b") == []


def test_forgetting_an_account_again_does_nothing_until_there_is_something_new(lake):
    collected(lake)
    derive_intermediate(lake, [MAY])
    assert forget(lake, "x", "a", reason="asked for", removed_at=NOW).rows > 0
    snapshot, there = lake.snapshot(), said(lake, "from raw.removed")
    again = forget(lake, "x", "a", reason="asked for again", removed_at=NOW)
    assert (again.rows, again.months) == (0, [])
    assert (lake.snapshot(), said(lake, "from raw.removed")) == (snapshot, there)
    with lake.read() as cursor:
        assert forgotten(cursor, "x", "a") == (NOW, "asked for")
        assert forgotten(cursor, "x", "b") is None
    collected(lake, force=True)
    derive_intermediate(lake, [MAY])
    assert forget(lake, "x", "a", reason="once more", removed_at=NOW).rows > 0


def test_a_later_collection_counts_by_itself(lake):
    """An account that is asked about again has posts of its own; the kept sums must not be added to them."""
    collected(lake, cut="provisional")
    derive_intermediate(lake, [MAY])
    forget(lake, "x", "a", reason="its owner asked", removed_at=NOW)
    collected(lake)
    assert figures(lake)[0][0][4] == 3


def test_nothing_is_deleted_before_its_sums_are_there(lake):
    collected(lake)
    derive_intermediate(lake, [MAY.next])  # the tables are there, the month is not
    with pytest.raises(LakeError, match="Derive the month first"):
        forget(lake, "x", "a", reason="its owner asked", removed_at=NOW)
    assert said(lake, "select count(*) from raw.x_posts where account_id = 'a'") == [(3,)]
    assert said(lake, "select count(*) from raw.removed") == [(0,)]


def test_an_account_is_found_by_its_handle_and_an_unknown_one_is_refused(lake):
    collected(lake)
    with lake.read() as cursor:
        assert accounts_called(cursor, "x", "A") == ["a"]
        assert accounts_called(cursor, "facebook", "a") == []
    with pytest.raises(LakeError, match="ever asked as 'nobody'"):
        forget(lake, "x", "nobody", reason="no", removed_at=NOW)


def test_what_was_removed_is_in_no_file_any_more_once_history_is_let_go(tmp_path):
    """Deleted rows, files of earlier snapshots, statistics and free pages of the catalog: each has kept words before."""
    lake = Lake.of(tmp_path / "lake")
    collected(lake)
    before = figures(lake)
    forget(lake, "x", "a", reason="its owner asked", removed_at=NOW)
    with lake.read() as cursor:
        assert still_held(cursor).snapshots != []
    assert purge(lake).snapshots != []
    with lake.read() as cursor:
        assert still_held(cursor).snapshots == []
        texts = [
            cursor.execute(f"select * from read_parquet('{file}')").fetchall() for file in lake.path.rglob("*.parquet")
        ]
    assert CANARY not in str(texts)
    for file in lake.path.glob("catalog.sqlite*"):
        assert CANARY.encode() not in file.read_bytes(), file.name
    assert figures(lake) == before


def two_posts_of_a(lake, *likes):
    """A later collection, of a alone."""
    posts = [post("a", number, count) for number, count in enumerate(likes, 1)]
    run(lake, Script(replace(answered("a"), posts=posts)), "a")


def test_the_sums_of_a_forgotten_account_are_kept_up_to_the_greatest_bigint(lake):
    collected(lake, cut="provisional")
    two_posts_of_a(lake, 2**63 - 2, 1)
    before = figures(lake)
    forget(lake, "x", "a", reason="its owner asked", removed_at=NOW)
    assert figures(lake) == before
    assert said(lake, "select likes from raw.forgotten_sums") == [(2**63 - 1,)]


def test_posts_whose_sums_fit_in_no_bigint_are_not_forgotten_for_a_null(lake):
    """The kept sums would say that nobody had reported what is gone for good."""
    collected(lake, cut="provisional")
    derive_intermediate(lake, [MAY])
    two_posts_of_a(lake, 2**63 - 2, 2)
    with pytest.raises(SumTooGreat, match="likes of platform x, account_id a, is_repost False: 9223372036854775808"):
        derive_intermediate(lake, [MAY])
    with pytest.raises(LakeError, match="x a 2025-05: 2 posts, sums of 3; nothing was removed"):
        forget(lake, "x", "a", reason="its owner asked", removed_at=NOW)
    assert said(lake, "select count(*) from raw.x_posts where account_id = 'a'") == [(5,)]


def test_kept_sums_are_compared_whatever_they_add_up_to(lake):
    collected(lake)
    derive_intermediate(lake, [MAY])
    with lake.write("sums that are not those of the posts") as transaction:
        transaction.cursor.execute(
            "insert into raw.forgotten_sums by name select '2025-05.x.0001' as collection_id, 'x' as platform,"
            " 'a' as account_id, date '2025-05-01' as month, unnest([false, true]) as is_repost,"
            " 9223372036854775807 as posts"
        )
    with pytest.raises(LakeError, match="x a 2025-05: 3 posts, sums of 18446744073709551614; nothing was removed"):
        forget(lake, "x", "a", reason="its owner asked", removed_at=NOW)
