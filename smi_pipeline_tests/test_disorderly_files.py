"""A month of a vendor's files that are not in order, from the inbox to the metrics and the draft, as a user runs it."""

import pytest
from smi import rows, smi

CITIES = "city_id,name_zh,name_en\n1,甲,Alpha\n2,乙,Beta\n3,丙,Gamma\n"
ACCOUNTS = "city_id,platform,handle,account_id\n1,tiktok,sbx_a,\n2,tiktok,sbx_b,\n3,tiktok,sbx_c,\n"
VENDOR = "platform,account_id,handle,display_name,followers,followers_at\n" + "".join(
    f"tiktok,{number},sbx_{name},,100,2025-06-01T00:00:00Z\n" for number, name in enumerate("abc", 1)
)
HEAD = "platform,account_id,post_id,created_at,kind,text,permalink,likes,comments,shares,views\n"
# A joint post of the first two, dated in a form that SQL does not read; one whose time nobody reads; of the third
# account one of these and one of March.
POSTS = """tiktok,1,11,20250510T080000Z,video,joint,,10,2,1,100
tiktok,1,12,10 May,video,when,,10,2,1,100
tiktok,2,11,20250510T080000Z,video,joint,,10,2,1,100
tiktok,2,21,2025-05-11T08:00:00Z,video,own,,5,1,0,50
tiktok,3,31,lately,video,when,,5,1,0,50
tiktok,3,32,2025-03-11T08:00:00Z,video,of March,,5,1,0,50
"""


@pytest.fixture
def run(tmp_path):
    registry, vendor = tmp_path / "registry", tmp_path / "lake" / "inbox" / "vendor" / "2025-05"
    for folder in (registry, vendor):
        folder.mkdir(parents=True)
    (registry / "cities.csv").write_text(CITIES, encoding="utf-8")
    (registry / "accounts.csv").write_text(ACCOUNTS, encoding="utf-8")

    def months_metrics(posts, counted="2025-06-01"):
        (vendor / "accounts.csv").write_text(VENDOR.replace("2025-06-01", counted), encoding="utf-8")
        (vendor / "posts.csv").write_text(HEAD + posts, encoding="utf-8")
        given = ("--lake", tmp_path / "lake", "--registry", registry)
        return smi(*given, "run", "2025-05", "--platform", "tiktok", "--to", "metrics", SMI_TIKTOK_SOURCE="files")

    return months_metrics


def test_what_cannot_be_read_is_null_or_a_lower_bound_and_flagged_and_nobody_is_silent(run, tmp_path):
    done = run(POSTS)
    assert done.returncode == 0, done.stderr
    measured = rows(
        tmp_path / "lake",
        "select account_id, posts, interactions, views, flags from metrics.account_month order by all",
    )
    assert measured == [
        ("sbx_a", 1, 13, 100, ["joint_post", "malformed"]),
        ("sbx_b", 1, 6, 50, ["joint_post"]),
        ("sbx_c", None, None, None, ["malformed"]),
    ]
    times = "select distinct epoch(published_at)::bigint from staging.stg_posts where post_id = '11'"
    assert rows(tmp_path / "lake", times) == [(1_746_864_000,)]  # 2025-05-10T08:00:00Z


def test_files_that_name_nobody_leave_the_month_uncollected_until_they_are_in_order(run, tmp_path):
    refused = run(POSTS + "TikTok,1,13,2025-05-12T08:00:00Z,video,more,,1,1,1,1\n")
    assert refused.returncode == 1
    assert "posts.csv line 8: platform: expected one of facebook, x, instagram, youtube, tiktok" in refused.stderr
    assert rows(tmp_path / "lake", "select count(*) from raw.collection") == [(0,)]

    undated = run(POSTS.replace("2025-03-11T08:00:00Z", "in March"))
    assert undated.returncode == 1
    assert "tiktok sbx_c: drift in the posts: none of 2 has an id and a time that can be read" in undated.stderr

    assert run(POSTS, counted="2025-06-02").returncode == 0  # the provider's next export
    assert rows(tmp_path / "lake", "select status from raw.collection") == [("finished",)]


def test_a_post_dated_in_two_months_counts_in_the_later_files_month_and_its_leaving_the_other_is_offered(run, tmp_path):
    """A file of June, made a month after May's, dates post 21 in June: May's own run is what takes it from May."""
    assert run("".join(POSTS.splitlines(keepends=True)[:4])).returncode == 0
    vendor = tmp_path / "lake" / "inbox" / "vendor" / "2025-06"
    vendor.mkdir()
    (vendor / "accounts.csv").write_text(VENDOR.replace("2025-06-01", "2025-07-01"), encoding="utf-8")
    (vendor / "posts.csv").write_text(HEAD + POSTS.splitlines()[3].replace("05-11", "06-11") + "\n", encoding="utf-8")
    measured = "select month::varchar, posts from metrics.account_month where account_id = 'sbx_b' order by all"

    def derived(month):
        given = ("--lake", tmp_path / "lake", "--registry", tmp_path / "registry")
        done = smi(*given, "run", month, "--platform", "tiktok", "--to", "metrics", SMI_TIKTOK_SOURCE="files")
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    assert "that 2025-05 has are dated in 2025-06 now and count there alone: 1" in derived("2025-06")
    assert rows(tmp_path / "lake", measured) == [("2025-05-01", 1), ("2025-06-01", 1)]
    derived("2025-05")
    assert rows(tmp_path / "lake", measured) == [("2025-05-01", 0), ("2025-06-01", 1)]


def test_a_handle_corrected_after_its_month_was_derived_gives_the_right_accounts_figures_without_force(run, tmp_path):
    """The first row named account 3, with 31 followers, where account 1, with 17, was meant."""
    registry = tmp_path / "registry" / "accounts.csv"
    vendor = VENDOR.replace("tiktok,1,sbx_a,,100", "tiktok,1,sbx_a,,17").replace(
        "tiktok,3,sbx_c,,100", "tiktok,3,sbx_c,,31"
    )
    posts = (
        HEAD
        + "tiktok,1,11,2025-05-10T08:00:00Z,video,,,10,2,1,100\ntiktok,3,31,2025-05-11T08:00:00Z,video,,,5,1,0,50\n"
    )
    measured = "select account_id, posts, interactions, followers from metrics.account_month order by all"

    def derived(handle):
        registry.write_text(f"city_id,platform,handle,account_id\n1,tiktok,{handle},one\n", encoding="utf-8")
        folder = tmp_path / "lake" / "inbox" / "vendor" / "2025-05"
        (folder / "accounts.csv").write_text(vendor, encoding="utf-8")
        (folder / "posts.csv").write_text(posts, encoding="utf-8")
        given = ("--lake", tmp_path / "lake", "--registry", tmp_path / "registry")
        done = smi(*given, "run", "2025-05", "--platform", "tiktok", "--to", "metrics", SMI_TIKTOK_SOURCE="files")
        assert done.returncode == 0, done.stderr
        return rows(tmp_path / "lake", measured)

    assert derived("sbx_c") == [("one", 1, 6, 31)]
    assert derived("sbx_a") == [("one", 1, 13, 17)]
