"""72,775 real posts through the sandbox: two facts the source itself states, asked for as a client would."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from smi_pipeline.sandbox.process import SandboxProcess


@pytest.fixture(scope="module")
def real(shared) -> Iterator[SandboxProcess]:
    with SandboxProcess(shared / "realdata", now=datetime(2022, 12, 10, tzinfo=UTC)) as process:
        yield process


def expected(shared, account_id, month):
    with (shared / "realdata" / "expected.csv").open(encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(stream)
        [row] = [row for row in rows if (row["account_id"], row["month"]) == (account_id, month)]
    return row


def test_a_facebook_month_of_real_posts_adds_up_to_what_the_source_says(real, shared):
    window = {"since": "2016-12-01T00:00:00+00:00", "until": "2016-12-31T23:59:59+00:00", "limit": 100}
    fields = "shares,reactions.limit(0).summary(true),comments.limit(0).summary(true)"
    address, posts = f"{real.base_url}/v26.0/cnn/published_posts", []
    params = {"access_token": "sandbox", "fields": fields, **window}
    while address:
        page = httpx.get(address, params=params, trust_env=False, timeout=30).json()
        posts += page["data"]
        address, params = page.get("paging", {}).get("next"), None

    row = expected(shared, "5550296508", "2016-12")
    assert len(posts) == len({post["id"] for post in posts}) == int(row["posts"])
    assert sum(post["reactions"]["summary"]["total_count"] for post in posts) == int(row["likes"])
    assert sum(post["comments"]["summary"]["total_count"] for post in posts) == int(row["comments"])
    assert sum(post.get("shares", {"count": 0})["count"] for post in posts) == int(row["shares"])


def test_the_impossible_comment_count_goes_out_as_the_source_has_it(real, shared):
    media: list[dict[str, Any]] = []
    after = ""
    while not media or media[-1]["timestamp"] >= "2022-11":
        fields = (
            f"business_discovery.username(govparaiba){{media{after}.limit(100){{timestamp,comments_count,permalink}}}}"
        )
        params = {"access_token": "sandbox", "fields": fields}
        answer = httpx.get(f"{real.base_url}/v26.0/17841400000000001", params=params, trust_env=False, timeout=30)
        page = answer.json()["business_discovery"]["media"]
        media += page["data"]
        after = f".after({page['paging']['cursors']['after']})"

    november = [item for item in media if item["timestamp"].startswith("2022-11")]
    row = expected(shared, "10067115", "2022-11")
    assert [item["comments_count"] for item in november if "CkyhPqBLU6O" in item["permalink"]] == [-41]
    assert len(november) == int(row["posts"])
    assert sum(item["comments_count"] for item in november) == int(row["comments"])
