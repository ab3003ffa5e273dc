"""Reading a data set directory: what it accepts, and one line for what it does not."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime

import pytest

from smi_pipeline.sandbox.dataset import Counts, DatasetError, load
from smi_pipeline.sandbox.world import World

ACCOUNT = ("x", "1", "sbx_x", "X", "", "")
POST = ("x", "1", "10", "2025-05-01T08:00:00+08:00", "", "two\nlines", "", "", "-41", "0", "")


def test_times_become_utc_and_an_empty_cell_is_not_zero(tmp_path, write_tables):
    dataset = load(write_tables(tmp_path, accounts=[ACCOUNT], posts=[POST]))

    [post] = dataset.posts
    assert post.created_at == datetime(2025, 5, 1, tzinfo=UTC)
    assert post.created_at.tzinfo is UTC
    assert post.counts == Counts(likes=None, comments=-41, shares=0, views=None)
    assert post.text == "two\nlines"
    assert dataset.accounts[0].followers is None


def test_compressed_files_other_column_orders_and_unknown_columns_are_read(tmp_path):
    accounts = "handle,mood,account_id,platform,followers_at,followers,display_name\nsbx_x,fine,1,x,,5,\n\n"
    with gzip.open(tmp_path / "accounts.csv.gz", "wt", encoding="utf-8-sig") as stream:
        stream.write(accounts)
    header = "platform,account_id,post_id,created_at,kind,text,permalink,likes,comments,shares,views\n"
    (tmp_path / "posts.csv").write_text(header, encoding="utf-8")

    [account] = load(tmp_path).accounts
    assert (account.handle, account.display_name, account.followers) == ("sbx_x", "sbx_x", 5)


def test_the_last_row_of_a_repeated_post_wins(tmp_path, write_tables):
    again = (*POST[:3], "2025-05-02T00:00:00Z", "photo", *POST[5:])
    dataset = load(write_tables(tmp_path, accounts=[ACCOUNT], posts=[POST, again]))

    [post] = dataset.posts
    assert (post.kind, post.created_at.day) == ("photo", 2)


def test_a_joint_post_stands_under_each_of_its_accounts(tmp_path, write_tables):
    other = (ACCOUNT[0], "other", "sbx_other", *ACCOUNT[3:])
    dataset = load(write_tables(tmp_path, accounts=[ACCOUNT, other], posts=[POST, (POST[0], "other", *POST[2:])]))
    assert [(post.account.account_id, post.post_id) for post in dataset.posts] == [
        (ACCOUNT[1], POST[2]),
        ("other", POST[2]),
    ]


def changed(row, place, value):
    return (*row[:place], value, *row[place + 1 :])


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"accounts": [changed(ACCOUNT, 0, "myspace")], "posts": []}, "accounts.csv line 2: platform: expected one of"),
        ({"accounts": [changed(ACCOUNT, 1, "")], "posts": []}, "accounts.csv line 2: account_id: expected an id"),
        (
            {"accounts": [changed(ACCOUNT, 4, "12K")], "posts": []},
            "followers: expected a whole number or nothing, found '12K'",
        ),
        ({"accounts": [changed(ACCOUNT, 5, "May")], "posts": []}, "followers_at: expected a time with its zone"),
        (
            {"accounts": [ACCOUNT], "posts": [POST, changed(POST, 3, "2025-05-01")]},
            "posts.csv line 4: created_at: expected",
        ),
        ({"accounts": [ACCOUNT], "posts": [changed(POST, 2, "")]}, "posts.csv line 2: post_id: expected an id"),
        (
            {"accounts": [ACCOUNT], "posts": [changed(POST, 1, "2")]},
            "posts.csv line 2: account_id: expected a x account",
        ),
        (
            {"accounts": [ACCOUNT], "posts": [changed(POST, 4, "dance")]},
            "posts.csv line 2: kind: expected one of photo",
        ),
        (
            {"accounts": [ACCOUNT], "posts": [changed(POST, 8, "1.5")]},
            "posts.csv line 2: comments: expected a whole number",
        ),
        ({"accounts": [ACCOUNT], "posts": [POST[:-1]]}, "posts.csv line 2: expected 11 cells, found 10"),
        ({"accounts": [ACCOUNT]}, "posts.csv: expected this file"),
        (
            {"accounts": [ACCOUNT], "posts": [], "followers": [("x", "9", "2025-05-01T00:00:00Z", 1)]},
            "followers.csv line 2: account_id: expected a x account of accounts.csv, found '9'",
        ),
        (
            {"accounts": [ACCOUNT], "posts": [], "snapshots": [("x", "1", "9", "2025-05-01T00:00:00Z", 1, 1, 1, 1)]},
            "snapshots.csv line 2: post_id: expected the id of a x post of 1 in posts.csv, found '9'",
        ),
    ],
)
def test_a_bad_data_set_is_refused_with_file_line_and_expectation(tmp_path, write_tables, tables, message):
    with pytest.raises(DatasetError) as refused:
        load(write_tables(tmp_path, **tables))

    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_folder_column_or_encoding_is_named(tmp_path, write_tables):
    with pytest.raises(DatasetError, match="expected a directory"):
        load(tmp_path / "nowhere")
    write_tables(tmp_path, accounts=[ACCOUNT], posts=[POST])
    (tmp_path / "posts.csv").write_text("platform,account_id\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"posts\.csv line 1: expected the columns .*missing: post_id"):
        load(tmp_path)
    (tmp_path / "posts.csv").write_bytes(b"platform,\xff\n")
    with pytest.raises(DatasetError, match="expected readable UTF-8"):
        load(tmp_path)
    (tmp_path / "posts.csv").unlink()
    (tmp_path / "posts.csv.gz").write_bytes(b"no gzip")
    with pytest.raises(DatasetError, match="expected readable UTF-8"):
        load(tmp_path)


def test_accounts_no_client_could_tell_apart_are_refused(tmp_path, write_tables):
    twins = [("tiktok", "1", "南京", "", "", ""), ("tiktok", "2", "上海", "", "", "")]
    with pytest.raises(DatasetError, match="'南京' and '上海' both become '_'"):
        World(load(write_tables(tmp_path / "by_handle", accounts=twins, posts=[])))

    with_ids = [("facebook", "100001", "南京", "", "", ""), ("facebook", "100002", "上海", "", "", "")]
    world = World(load(write_tables(tmp_path / "by_id", accounts=with_ids, posts=[])))
    found = world.by_handle("facebook", "上海", datetime(2025, 6, 3, tzinfo=UTC))
    assert found is not None
    assert found.id == "100002"
