"""A vendor's files in place of an API: held to the same rules, and to clear errors where they are not files at all."""

from __future__ import annotations

import asyncio
import gzip
import os
from datetime import UTC, datetime

import pytest

from smi_pipeline.collectors.files import FileReader
from smi_pipeline.collectors.records import CollectionError, Window
from smi_pipeline.registry.models import Account

MAY = Window(datetime(2025, 4, 30, 16, tzinfo=UTC), datetime(2025, 5, 31, 16, tzinfo=UTC))
ACCOUNTS = """platform,account_id,handle,display_name,followers,followers_at
tiktok,71,sbx_one,One,1200,2025-06-02T00:00:00Z
tiktok,72,sbx_two,Two,12K,2025-06-02T00:00:00Z
x,73,sbx_one,Not this one,5,
"""
POSTS = """platform,account_id,post_id,created_at,kind,text,permalink,likes,comments,shares,views,observed_at
tiktok,71,7500000000000000001,2025-05-03T10:00:00Z,short,"two
lines, a comma",,10,0,,900,2025-06-09T22:00:00Z
tiktok,71,7500000000000000002,2025-05-31T15:59:59Z,short,last,,"1,234",1,2,3,
tiktok,71,7500000000000000003,2025-05-31T16:00:00Z,short,of June,,1,1,1,1,
tiktok,71,7500000000000000004,yesterday,short,when,,1,1,1,1,
x,73,1,2025-05-03T10:00:00Z,text,another platform,,1,1,1,1,
"""
FOLLOWERS = """platform,account_id,observed_at,followers
tiktok,71,2025-05-01T06:00:00+08:00,1000
tiktok,71,2024-01-01T06:00:00+08:00,7
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "accounts.csv").write_text(ACCOUNTS, encoding="utf-8")
    (tmp_path / "posts.csv").write_text(POSTS, encoding="utf-8")
    (tmp_path / "followers.csv").write_text(FOLLOWERS, encoding="utf-8")
    return tmp_path


def account(handle, platform="tiktok", account_id=None):
    return Account(city_id="1", platform=platform, handle=handle, account_id=account_id or handle)


def collect(folder, *handles):
    async def run():
        reader = FileReader("tiktok", folder)
        found = {r.account.handle: r async for r in reader.collect([account(h) for h in handles], MAY)}
        return found, reader

    return asyncio.run(run())


def test_posts_of_the_month_come_with_their_counts_and_nothing_is_asked(folder):
    found, reader = collect(folder, "sbx_one")
    result = found["sbx_one"]
    assert (result.outcome, reader.requests, reader.least, reader.spent()) == ("answered", 0, 0, [])
    assert [(row["post_id"], row["likes"], row["comments"], row["shares"], row["views"]) for row in result.posts] == [
        ("7500000000000000001", 10, 0, None, 900),
        ("7500000000000000002", None, 1, 2, 3),
    ]
    assert result.posts[0]["text"] == "two\nlines, a comma"
    assert result.posts[0]["observed_at"] == datetime(2025, 6, 9, 22, tzinfo=UTC)
    assert result.posts[1]["observed_at"] == datetime(2025, 6, 2, tzinfo=UTC)  # else the account's


def test_a_bad_count_and_an_unreadable_time_are_rejected_as_an_apis_are(folder):
    found, _ = collect(folder, "sbx_one", "sbx_two")
    rejected = [(r.platform_post_id, r.field, r.value, r.reason) for r in found["sbx_one"].rejected]
    assert rejected == [
        ("7500000000000000002", "likes", "1,234", "bad count"),
        ("7500000000000000004", "created_at", "yesterday", "malformed"),
    ]
    assert [(r.field, r.value) for r in found["sbx_two"].rejected] == [("followers", "12K")]


def test_follower_counts_near_the_months_borders_come_along(folder):
    found, _ = collect(folder, "sbx_one")
    assert sorted((row["observed_at"].isoformat(), row["followers"]) for row in found["sbx_one"].accounts) == [
        ("2025-04-30T22:00:00+00:00", 1000),
        ("2025-06-02T00:00:00+00:00", 1200),
    ]


def test_an_account_that_is_not_in_the_files_is_unavailable_and_no_zero(folder):
    found, _ = collect(folder, "sbx_three")
    assert (found["sbx_three"].outcome, found["sbx_three"].posts) == ("unavailable", [])


def test_without_a_time_of_its_own_a_count_is_of_the_time_of_the_file(folder):
    text = ACCOUNTS.replace("1200,2025-06-02T00:00:00Z", "1200,")
    (folder / "accounts.csv").write_text(text, encoding="utf-8")
    os.utime(folder / "accounts.csv", (1_748_800_000, 1_748_800_000))
    found, _ = collect(folder, "sbx_one")
    assert found["sbx_one"].posts[1]["observed_at"] == datetime.fromtimestamp(1_748_800_000, UTC)


def test_a_packed_file_is_read_alike(folder):
    plain, _ = collect(folder, "sbx_one")
    with gzip.open(folder / "posts.csv.gz", "wt", encoding="utf-8") as stream:
        stream.write(POSTS)
    (folder / "posts.csv").unlink()
    packed, _ = collect(folder, "sbx_one")
    assert packed["sbx_one"].posts == plain["sbx_one"].posts


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("accounts.csv", None, r"no vendor file .*accounts\.csv; put the provider's export there"),
        ("accounts.csv", "platform,handle\n", r"accounts\.csv line 1: expected the columns account_id, display_name"),
        ("posts.csv", POSTS + "tiktok,71,1\n", r"posts\.csv line 8: expected 12 cells"),
        ("followers.csv", FOLLOWERS + "tiktok,71,,5\n", r"followers\.csv line 4: observed_at: expected a time"),
        ("posts.csv", POSTS.replace("2025-06-09T22:00:00Z", "lately"), r"posts\.csv line 3: observed_at: .* 'lately'"),
        ("posts.csv", b"\xff\xfe\x00", r"posts\.csv: expected readable UTF-8 CSV"),
        (
            "posts.csv",
            POSTS.replace(",observed_at", ",likes"),
            r"posts\.csv line 1: expected each column once, found likes",
        ),
    ],
)
def test_a_file_that_is_none_is_named_with_its_line(folder, name, text, said):
    path = folder / name
    if text is None:
        path.unlink()
    else:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(CollectionError, match=said):
        collect(folder, "sbx_one")


@pytest.mark.parametrize(
    ("name", "row", "said"),
    [
        ("accounts.csv", "tiktok,,sbx_six,,1,", r"accounts\.csv line 5: account_id: expected a name .*, found ''"),
        ("accounts.csv", "tiktok,76,,,1,", r"accounts\.csv line 5: handle: expected a name .*, found ''"),
        ("accounts.csv", "tiktok,76,sbx_six ,,1,", r"accounts\.csv line 5: handle: .*, found 'sbx_six '"),
        (
            "accounts.csv",
            "tiktok,76,SBX_one,,1,",
            r"line 5: handle: .* tiktok account once, found 'SBX_one' again, first at .* line 2",
        ),
        ("accounts.csv", "tiktok,76,@sbx_one,,1,", r"accounts\.csv line 5: handle: .* found '@sbx_one' again"),
        ("accounts.csv", "tiktok,71,sbx_six,,1,", r"accounts\.csv line 5: account_id: .* found '71' again"),
        (
            "accounts.csv",
            "TikTok,76,sbx_six,,1,",
            r"accounts\.csv line 5: platform: expected one of facebook, .*'TikTok'",
        ),
        ("accounts.csv", " tiktok,76,sbx_six,,1,", r"accounts\.csv line 5: platform: .*, found ' tiktok'"),
        ("posts.csv", "TikTok,71,5,2025-05-03T10:00:00Z,,,,,,,,", r"posts\.csv line 8: platform: .* found 'TikTok'"),
        ("posts.csv", "tiktok,79,5,2025-05-03T10:00:00Z,,,,,,,,", r"posts\.csv line 8: account_id: .*, found '79'"),
        ("posts.csv", "instagram,71,5,2025-05-03T10:00:00Z,,,,,,,,", r"line 8: .* has for instagram, found '71'"),
        ("posts.csv", "tiktok,6.9E+18,5,2025-05-03T10:00:00Z,,,,,,,,", r"posts\.csv line 8: .*, found '6\.9E\+18'"),
        ("posts.csv", "tiktok,@sbx_one,5,2025-05-03T10:00:00Z,,,,,,,,", r"line 8: account_id: .*, found '@sbx_one'"),
        ("posts.csv", "tiktok,71 ,5,2025-05-03T10:00:00Z,,,,,,,,", r"posts\.csv line 8: account_id: .*, found '71 '"),
        ("posts.csv", "tiktok,,5,2025-05-03T10:00:00Z,,,,,,,,", r"posts\.csv line 8: account_id: .*, found ''"),
        ("followers.csv", "tiktok,79,2025-05-01T06:00:00Z,5", r"followers\.csv line 4: account_id: .*, found '79'"),
        ("followers.csv", "tik tok,71,2025-05-01T06:00:00Z,5", r"followers\.csv line 4: platform: .*, found 'tik tok'"),
    ],
)
def test_a_row_of_nobody_is_refused_with_file_and_line(folder, name, row, said):
    """Passed over, it would be the zero of a silent account; an empty name answered for every account."""
    with (folder / name).open("a", encoding="utf-8") as stream:
        stream.write(f"{row}\n")
    with pytest.raises(CollectionError, match=said):
        collect(folder, "sbx_one")


def test_rows_of_accounts_that_the_registry_does_not_have_are_passed_over(folder):
    """A provider may export more than is monitored."""
    found, _ = collect(folder, "sbx_two")
    assert (found["sbx_two"].outcome, found["sbx_two"].posts) == ("answered", [])


def test_handles_lead_to_their_rows_without_capitals_and_on_facebook_without_dots(folder):
    (folder / "accounts.csv").write_text(
        "platform,account_id,handle,display_name,followers,followers_at\n"
        "facebook,100064,Visit.Nanjing,,5,2025-06-02T00:00:00Z\n",
        encoding="utf-8",
    )
    (folder / "posts.csv").write_text(POSTS.splitlines()[0], encoding="utf-8")
    (folder / "followers.csv").unlink()

    async def run(given):
        return [result async for result in FileReader("facebook", folder).look([given], MAY)]

    [by_handle] = asyncio.run(run(account("visitnanjing", "facebook")))
    assert [row["followers"] for row in by_handle.accounts] == [5]
    [taken_over] = asyncio.run(run(account("visitnanjing", "facebook", "100999")))
    assert (taken_over.outcome, taken_over.accounts) == ("failed", [])
    assert "handle visitnanjing now belongs to 100064, the registry has 100999" in taken_over.detail


@pytest.mark.parametrize("written", ["2025-05-10 08:00:00", "10/05/2025", "", "1746864000"])
def test_an_account_all_of_whose_posts_lack_a_readable_time_has_failed_and_has_no_zero(folder, written):
    row = f"tiktok,72,7500000000000000009,{written},short,,,1,1,1,1,\n"
    (folder / "posts.csv").write_text(POSTS + row, encoding="utf-8")
    found, _ = collect(folder, "sbx_one", "sbx_two")
    assert (found["sbx_one"].outcome, found["sbx_two"].outcome) == ("answered", "failed")
    assert (
        f"none of 1 has an id and a time that can be read; first created_at {written or 'null'!r}"
        in found["sbx_two"].detail
    )


@pytest.mark.parametrize(
    "name",
    ["Posts.CSV", "posts.csv.txt", "ｐｏｓｔｓ.csv", "posts (1).csv", "post.csv", "Followers.csv", "accounts.xlsx"],
)
def test_a_file_under_another_spelling_of_its_name_is_named_and_nothing_is_read(folder, name):
    (folder / name).write_text(POSTS, encoding="utf-8")
    stem = "followers" if name == "Followers.csv" else "accounts" if name == "accounts.xlsx" else "posts"
    with pytest.raises(CollectionError) as refused:
        collect(folder, "sbx_one")
    assert str(refused.value) == (
        f"{folder / name}: expected a file called {stem}.csv or {stem}.csv.gz; this is another name and is not read:"
        " rename it, or move it elsewhere"
    )


def test_a_folder_where_a_file_is_expected_is_named(folder):
    (folder / "followers.csv").unlink()
    (folder / "followers.csv").mkdir()
    with pytest.raises(CollectionError, match=r"followers\.csv: expected a file called .* this is a folder"):
        collect(folder, "sbx_one")


def test_a_file_that_is_there_packed_and_plain_is_refused(folder):
    with gzip.open(folder / "posts.csv.gz", "wt", encoding="utf-8") as packed:
        packed.write(POSTS)
    with pytest.raises(CollectionError, match=r"expected one of posts\.csv and posts\.csv\.gz, found both"):
        collect(folder, "sbx_one")


@pytest.mark.parametrize("name", ["2025-5", "2025_05", "２０２５-05", "202505"])
def test_a_month_that_is_there_under_another_spelling_is_named(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / "2025-06").mkdir()
    with pytest.raises(CollectionError) as refused:
        collect(tmp_path / "2025-05", "sbx_one")
    assert str(refused.value).startswith(f"{tmp_path / name}: expected a folder called 2025-05; this is a folder")
