"""`smi trace`: from a score down to what a platform sent; every sum agrees, and where one does not, that is said."""

import hashlib
import json
import re
import shutil

import pytest
from smi import rows, smi

from smi_pipeline.defs.inputs import kept_inputs
from smi_pipeline.defs.partitions import ZONE
from smi_pipeline.defs.publication import publish
from smi_pipeline.defs.trace import trace_input
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.reparse import reparse_month
from smi_pipeline.months import Month
from smi_pipeline.report.trace import trace
from smi_pipeline.settings import Settings

APRIL, MAY = Month.parse("2025-04"), Month.parse("2025-05")
NANJING, HANGZHOU = "320100", "330100"  # two accounts on X, and one


def traced(path, city, month=MAY, platform=None):
    lake = Lake.of(path)
    return trace(trace_input(lake, month, kept_inputs(lake, Settings(lake=path)), city), platform)


@pytest.fixture
def copied(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "lake")
    return Lake.of(tmp_path / "lake")


@pytest.mark.parametrize("month", [APRIL, MAY])
def test_every_sum_of_every_city_agrees(whole, month):
    cities = [city for (city,) in rows(whole, f"select city_id from index.city where month = '{month.first}'")]
    found = {city: traced(whole, city, month) for city in cities}
    assert {city: one.failed for city, one in found.items() if one.failed} == {}
    assert len(cities) == 10
    assert sum(one.checked for one in found.values()) > 1000


def test_the_likes_in_the_payloads_are_those_of_the_account(whole):
    """Counted from the platform's own JSON, past every table and view in between."""
    [platform] = traced(whole, NANJING, platform="x").platforms
    for account in platform.accounts:
        said = [
            json.loads(post.record.payload)["public_metrics"]["like_count"] for post in account.posts if post.counted
        ]
        assert (len(said), sum(said)) == (account.counts["posts"], account.counts["likes"])
        assert all(
            hashlib.sha256(post.record.payload.encode()).hexdigest() == post.record.payload_sha256
            for post in account.posts
        )
    assert any(account.posts for account in platform.accounts)


def test_a_follower_count_leads_to_the_answer_nearest_the_border(whole):
    [platform] = traced(whole, HANGZHOU, platform="x").platforms
    [account] = platform.accounts
    read = {seen.at: seen for seen in account.followers}
    assert account.counts["followers"] == read["end"].followers
    assert account.counts["follower_growth"] == read["end"].followers - read["start"].followers
    assert [str(read[at].record.observed_at.date()) for at in ("start", "end")] == ["2025-05-02", "2025-06-02"]
    said = json.loads(read["end"].record.payload)["public_metrics"]["followers_count"]
    assert said == read["end"].followers


def test_the_requests_are_those_of_the_ledger(whole):
    asked = {one.collection_id: one.requests for one in traced(whole, NANJING).collections}
    for collection_id, requests in asked.items():
        ledger = rows(
            whole,
            "select endpoint || ' x' || sum(requests)::bigint from raw.request_ledger"
            f" where collection_id = '{collection_id}' group by endpoint order by endpoint",
        )
        assert list(requests) == [line for (line,) in ledger] != []


def test_what_was_read_again_has_the_requests_it_came_by(copied):
    before = {one.collection_id: one for one in traced(copied.path, NANJING, platform="x").collections}
    summary = reparse_month(copied, "x", MAY, ZONE)
    after = traced(copied.path, NANJING, platform="x")
    [again] = [one for one in after.collections if one.collection_id == summary.collection_id]
    assert again.reparsed_from in before
    assert again.requests == before[again.reparsed_from].requests
    assert after.failed == ()


def test_a_carried_figure_is_that_of_the_month_before(demo):
    """Liaocheng's account on X was suspended in May."""
    path, _ = demo
    sql = "select city_id from index.indicator_score where month = '2025-05-01' and list_contains(flags, 'carried') limit 1"
    [(city,)] = rows(path, sql)
    found = traced(path, city)
    carried = [one for platform in found.platforms for one in platform.indicators if "carried" in one.flags]
    assert {one.of_month for one in carried} == {"2025-04"}
    assert found.failed == ()


def test_a_city_of_several_accounts_adds_up(whole):
    [platform] = traced(whole, NANJING, platform="x").platforms
    assert [account.counts["posts"] > 0 for account in platform.accounts] == [True, True]
    assert traced(whole, NANJING, platform="x").failed == ()


def test_the_command_names_every_sum_that_does_not_agree_and_fails(copied):
    with copied.write("a contribution from nowhere") as transaction:
        transaction.cursor.execute(
            "update index.contribution set contribution = contribution + 1 where month = '2025-05-01'"
            f" and city_id = '{NANJING}' and platform = 'x' and indicator = 'posts'"
        )
    done = smi("trace", "2025-05", "南京", "--platform", "x", "--lake", copied.path)
    assert done.returncode == 1
    told = [line.split(":")[0] for line in done.stderr.splitlines()]
    assert told == ["composite score", "x posts contribution", "x contribution"]
    assert re.search(r"\d+ of \d+ sums and records agree - NOT ALL", done.stdout)


def test_a_record_that_is_gone_is_missed(copied):
    with copied.write("lost") as transaction:
        transaction.cursor.execute(
            "delete from raw.x_posts where id = (select min(post_id) from staging.stg_x_posts where month = '2025-05-01'"
            f" and account_id = (select account_id from index.account where city_id = '{HANGZHOU}' and platform = 'x'"
            " and month = '2025-05-01'))"
        )
    whats = [one.what for one in traced(copied.path, HANGZHOU, platform="x").failed]
    assert any(what.endswith(": posts") for what in whats)
    assert any(what.endswith(": interactions") for what in whats)


def test_an_edition_is_traced_at_its_own_snapshot(copied):
    publish(copied, MAY)
    with copied.write("another month's work") as transaction:
        transaction.cursor.execute("update index.contribution set contribution = contribution + 1 where platform = 'x'")
    asked = ("trace", "2025-05", NANJING, "--platform", "x", "--lake", copied.path)
    assert smi(*asked).returncode == 1
    done = smi(*asked, "--number", "1")
    assert (done.returncode, done.stderr) == (0, "")
    missing = smi(*asked, "--number", "7")
    assert missing.returncode == 1
    assert "there is no published edition 7 of 2025-05" in missing.stderr


def test_the_command_prints_the_way_down_in_words_and_as_json(whole):
    asked = ("trace", "2025-05", "hangzhou", "--platform", "x", "--lake", whole)
    done = smi(*asked, "--payload", measured=True)
    assert done.returncode == 0, done.stderr
    found = traced(whole, HANGZHOU, platform="x")
    [account] = found.platforms[0].accounts
    for post in account.posts:
        assert f"payload sha256 {post.record.payload_sha256[:12]}" in done.stdout
    assert done.stdout.count('"public_metrics"') == len(account.posts) + len(account.followers)
    assert f"{found.checked} of {found.checked} sums and records agree" in done.stdout
    told = json.loads(smi(*asked, "--json").stdout)
    assert told["score"] == found.score
    assert told["platforms"][0]["accounts"][0]["posts"][0]["record"] == {
        "collection_id": account.posts[0].record.collection_id,
        "observed_at": str(account.posts[0].record.observed_at),
        "payload_sha256": account.posts[0].record.payload_sha256,
    }


def test_a_city_or_a_month_that_is_not_there_is_one_line(whole):
    done = smi("trace", "2025-05", "Atlantis", "--lake", whole)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no monitored city has the id or name 'Atlantis'" in done.stderr
    done = smi("trace", "2024-06", NANJING, "--lake", whole)
    assert (done.returncode, done.stdout) == (1, "")
    assert "2024-06 is not derived in" in done.stderr
