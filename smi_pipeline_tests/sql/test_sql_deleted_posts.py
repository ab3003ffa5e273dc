"""Posts that an earlier collection of a month has and a later one has not."""

from datetime import UTC, datetime

import pytest

EARLY, LATE, LAST = (datetime(2025, 6, day, 22, tzinfo=UTC) for day in (2, 9, 12))


@pytest.fixture
def collected(shell):
    """Two finished collections. `a` answers both times; `b` is suspended the second time, `c` cut off."""
    for number, (name, at, cut) in enumerate((("k1", EARLY, "provisional"), ("k2", LATE, "final"))):
        shell.collection("x", name, hour=20 + number, cut=cut)
        later = {"b": "suspended", "c": "truncated"} if number else {}
        shell.outcomes(
            "x",
            *(
                {"collection_id": name, "account_id": who, "observed_at": at, "outcome": later.get(who, "answered")}
                for who in "abc"
            ),
        )
        posts(shell, name, at, "a", *(("stays", "missed"), ("stays", "new"))[number])
    posts(shell, "k1", EARLY, "b", "of the suspended")
    posts(shell, "k1", EARLY, "c", "beyond the history")
    return shell


def posts(shell, collection, at, account, *ids):
    shell.posts("x", *({"collection_id": collection, "account_id": account, "id": i, "observed_at": at} for i in ids))


def gone(shell):
    shell.table("intermediate.int_deleted_posts")
    return shell.rows(
        "select post_id, last_seen_at, last_collection_id, missed_at, missed_collection_id"
        " from intermediate.int_deleted_posts order by 1"
    )


def test_a_post_that_a_later_reading_misses_has_gone_between_two_times(collected):
    """Not those of an account that did not answer or whose history was cut off: they are unseen, which is not gone."""
    assert gone(collected) == [("missed", EARLY, "k1.x", LATE, "k2.x")]


def test_a_post_that_comes_back_is_not_gone(collected):
    collected.collection("x", "k3", hour=23)
    collected.outcomes("x", {"collection_id": "k3", "account_id": "a", "observed_at": LAST})
    posts(collected, "k3", LAST, "a", "stays", "missed")
    assert gone(collected) == [("new", LATE, "k2.x", LAST, "k3.x")]


def test_a_collection_that_did_not_finish_misses_nothing(collected):
    collected.collection("x", "k3", hour=23, status="deferred")
    collected.outcomes("x", {"collection_id": "k3", "account_id": "a", "observed_at": LAST})
    assert gone(collected) == [("missed", EARLY, "k1.x", LATE, "k2.x")]


def test_figures_of_a_day_are_no_reading_of_a_month(collected):
    collected.collection("x", "2025-05-31.x.0001", hour=23, cut="snapshot")
    collected.outcomes("x", {"collection_id": "2025-05-31.x.0001", "account_id": "a", "observed_at": LAST})
    assert gone(collected) == [("missed", EARLY, "k1.x", LATE, "k2.x")]


def test_a_vendors_posts_are_in_the_same_words(shell):
    """Every post of TikTok is a video; a kind nobody knows is null."""
    shell.collection("tiktok")
    shell._insert(
        "vendor_posts",
        "tiktok",
        [
            {**shell._common(), "platform": "tiktok", "post_id": "1", "created_at": "2025-05-03T10:00:00Z", "likes": 3},
            {
                **shell._common(),
                "platform": "tiktok",
                "post_id": "2",
                "created_at": "2025-05-03T10:00:00Z",
                "kind": "reel",
            },
        ],
    )
    assert shell.rows(
        "select platform, post_id, kind, is_video, is_repost, likes from staging.stg_posts order by 2"
    ) == [
        ("tiktok", "1", None, True, False, 3),
        ("tiktok", "2", None, True, False, None),
    ]
