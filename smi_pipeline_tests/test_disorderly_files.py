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
