"""From a city's points to the accounts they come from."""

from __future__ import annotations

import polars as pl
import pytest

from smi_pipeline.index.attribution import ACCOUNT_CONTRIBUTION, account_contributions
from smi_pipeline.months import Month

AT = Month.parse("2025-05")
COUNTS = ("posts", "videos", "interactions", "views", "followers", "follower_growth")


def accounts(*rows):
    named = [dict(zip(("account_id", *COUNTS), row, strict=True)) for row in rows]
    return pl.DataFrame(
        [{"platform": "x", "city_id": "a"} | row for row in named],
        schema={"platform": pl.String, "city_id": pl.String, "account_id": pl.String} | dict.fromkeys(COUNTS, pl.Int64),
    )


def parts(**points):
    return pl.DataFrame(
        [
            {"city_id": "a", "platform": "x", "indicator": name, "contribution": float(value)}
            for name, value in points.items()
        ]
    )


def given(contribution, frame):
    made = account_contributions(contribution, frame, month=AT)
    assert made.schema == pl.Schema(ACCOUNT_CONTRIBUTION)
    return {(r["account_id"], r["indicator"]): (r["share"], r["contribution"]) for r in made.to_dicts()}


def test_a_count_is_shared_in_proportion_and_a_rate_like_the_count_above_its_line():
    got = given(
        parts(posts=4, engagement_rate=10),
        accounts(("main", 30, 0, 900, None, 5000, 10), ("tourism", 10, 0, 100, None, 100, 5)),
    )
    assert got["main", "posts"] == (0.75, 3.0)
    assert got["tourism", "posts"] == (0.25, 1.0)
    assert got["main", "engagement_rate"] == (0.9, 9.0)
    assert got["tourism", "engagement_rate"] == (0.1, pytest.approx(1.0))


def test_a_loss_of_followers_takes_no_share_of_the_others_gain():
    got = given(
        parts(follower_growth=6), accounts(("main", 1, 0, 1, None, 9, 300), ("tourism", 1, 0, 1, None, 9, -100))
    )
    assert (got["main", "follower_growth"], got["tourism", "follower_growth"]) == ((1.0, 6.0), (0.0, 0.0))


def test_points_that_nobody_has_anything_of_are_shared_alike():
    """A growth of nought is worth points, since losing followers is worth fewer."""
    got = given(parts(follower_growth=5), accounts(("main", 1, 0, 1, None, 9, 0), ("tourism", 1, 0, 1, None, 9, None)))
    assert got["main", "follower_growth"] == got["tourism", "follower_growth"] == (0.5, 2.5)


def test_the_experts_part_belongs_to_no_account():
    experts = pl.DataFrame({"city_id": ["a"], "platform": ["expert"], "indicator": ["expert"], "contribution": [15.0]})
    made = account_contributions(pl.concat([parts(posts=4), experts]), accounts(("main", 1, 1, 1, 1, 1, 1)), month=AT)
    assert made["contribution"].to_list() == [4.0]
