"""Sums of counts in frames: the greatest bigint is kept, one more is refused by name, and nothing wraps around."""

from __future__ import annotations

import ast
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import smi_pipeline.metrics
from smi_pipeline.metrics.city_month import city_platform_month
from smi_pipeline.metrics.sums import fitting, total, wide
from smi_pipeline.months import Month
from smi_pipeline.sums import LARGEST, SMALLEST, SumTooGreat

MAY = Month.parse("2025-05")
ASKED = [("x", "a", "answered"), ("x", "b", "answered")]
COUNTS = ("posts", "videos", "likes", "comments", "shares", "views")
BORDER = pytest.mark.parametrize("beyond", [0, 1], ids=["fits", "is refused"])
FILES = Path(smi_pipeline.metrics.__path__[0]).glob("*.py")


def own_and_passed_on(column, more):
    """An account's posts and its reposts, whose counts together are 2^63 - 1, or more."""
    own = {"posts": 1, "videos": 1, column: LARGEST - 1}
    return [own, {"posts": 1, "videos": 0, column: 1 + more, "is_repost": True}]


@BORDER
@pytest.mark.parametrize("column", COUNTS)
def test_an_accounts_posts_and_reposts_together(may, column, beyond):
    given = {"asked": ASKED, "sums": own_and_passed_on(column, beyond), "include_reposts": True}
    if not beyond:
        assert may(**given)[column][0] == LARGEST
        return
    with pytest.raises(
        SumTooGreat,
        match=rf"metrics\.account_month 2025-05: .*{column} of platform x, account_id a: 9223372036854775808",
    ):
        may(**given)


@BORDER
def test_an_accounts_interactions(may, beyond):
    given = {"asked": ASKED, "sums": [{"posts": 1, "likes": LARGEST - 3, "comments": 2, "shares": 1 + beyond}]}
    if not beyond:
        assert may(**given)["interactions"][0] == LARGEST
        return
    with pytest.raises(SumTooGreat, match="interactions of platform x, account_id a: 9223372036854775808"):
        may(**given)


@BORDER
def test_refused_counts_and_reposts_that_come_in_several_rows(may, beyond):
    repost = {"posts": LARGEST - 1, "videos": 0, "is_repost": True}
    given = {"asked": ASKED, "sums": [repost, repost | {"posts": 1 + beyond}]}
    rejects = [("x", "a", LARGEST - 1, 0), ("x", "a", 1 + beyond, 0)]
    if not beyond:
        got = may(**given, rejects=rejects)
        assert (got["reposts"][0], got["flags"][0].to_list()) == (LARGEST, ["bad_count", "zero_denominator"])
        return
    with pytest.raises(SumTooGreat, match="reposts of platform x, account_id a: 9223372036854775808"):
        may(**given)
    with pytest.raises(SumTooGreat, match="bad_counts of platform x, account_id a: 9223372036854775808"):
        may(asked=ASKED, rejects=rejects)


def test_a_growth_between_the_least_and_the_greatest_count_is_kept(may):
    seen = [("x", "a", "k0", "2025-05-01T00:00", 0), ("x", "a", "k1", "2025-06-01T00:00", LARGEST)]
    assert may(asked=ASKED, observations=seen)["follower_growth"][0] == LARGEST
    lost = [("x", "a", "k0", "2025-05-01T00:00", LARGEST), ("x", "a", "k1", "2025-06-01T00:00", 0)]
    assert may(asked=ASKED, observations=lost)["follower_growth"][0] == -LARGEST


@BORDER
@pytest.mark.parametrize(
    "column", [*COUNTS, "reposts", "interactions", "followers", "follower_growth"], ids=lambda one: one
)
def test_a_citys_accounts_together(may, registry, column, beyond):
    accounts = may(asked=ASKED, sums=[{"posts": 1, "videos": 1}])
    accounts = accounts.with_columns(pl.Series(column, [LARGEST - 1, 1 + beyond], dtype=pl.Int64))
    city = registry([("nanjing", "x", "a"), ("nanjing", "x", "b")])
    if not beyond:
        assert city_platform_month(accounts, city, month=MAY)[column].to_list() == [LARGEST]
        return
    with pytest.raises(
        SumTooGreat,
        match=rf"metrics\.city_platform_month 2025-05: .*{column} of platform x, city_id nanjing: 9223372036854775808",
    ):
        city_platform_month(accounts, city, month=MAY)


def test_a_citys_losses_together_have_the_border_below(may, registry):
    accounts, city = may(asked=ASKED), registry([("nanjing", "x", "a"), ("nanjing", "x", "b")])
    lost = accounts.with_columns(follower_growth=pl.Series([-LARGEST, -1]))
    assert city_platform_month(lost, city, month=MAY)["follower_growth"].to_list() == [SMALLEST]
    lost = accounts.with_columns(follower_growth=pl.Series([-LARGEST, -2]))
    with pytest.raises(SumTooGreat, match="follower_growth of platform x, city_id nanjing: -9223372036854775809"):
        city_platform_month(lost, city, month=MAY)


def test_what_an_account_that_did_not_answer_is_said_to_have_posted_stops_nobody(may):
    """It is unknown, and stored as such."""
    rows = [{"posts": 1, "likes": LARGEST}, {"posts": 1, "likes": LARGEST, "is_repost": True}]
    got = may(asked=[("x", "a", "failed")], sums=rows, include_reposts=True)
    assert (got["likes"][0], got["interactions"][0]) == (None, None)


@given(st.lists(st.one_of(st.none(), st.integers(SMALLEST, LARGEST)), min_size=1))
def test_a_sum_is_exact_or_refused_whatever_was_reported(values):
    frame = pl.DataFrame({"key": ["a"] * len(values), "likes": values}, schema={"key": pl.String, "likes": pl.Int64})
    known = [value for value in values if value is not None]
    summed = frame.group_by("key").agg(total("likes"))
    if not known or SMALLEST <= sum(known) <= LARGEST:
        got = fitting(summed, table="t", month=MAY, keys=["key"])
        assert got["likes"].to_list() == [sum(known) if known else None]
        assert got.schema["likes"] == pl.Int64
    else:
        with pytest.raises(SumTooGreat, match=f"likes of key a: {sum(known)}"):
            fitting(summed, table="t", month=MAY, keys=["key"])


def test_every_row_that_is_refused_is_counted_and_the_first_three_are_named():
    frame = pl.DataFrame({"key": list("edcba"), "n": [LARGEST] * 5}).select("key", wide("n") * 2)
    with pytest.raises(SumTooGreat, match=r"n of key a: \d+; n of key b: \d+; n of key c: \d+ and 2 more; nothing was"):
        fitting(frame, table="t", month=MAY, keys=["key"])


@pytest.mark.parametrize("file", sorted(FILES), ids=lambda path: path.name)
def test_metrics_add_up_wide_columns_only(file):
    """`pl.col(...).sum()` wraps around in silence: whatever adds, subtracts or multiplies stands on `wide` or `total`."""
    narrow = []
    for node in ast.walk(ast.parse(file.read_text())):
        adds = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub | ast.Mult)
        calls = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        sums = calls and node.func.attr in {"sum", "sum_horizontal", "cum_sum", "diff", "dot", "product"}
        said = ast.unparse(node)
        if (sums or (adds and "pl." in said)) and "wide(" not in said and "observed_at" not in said:
            narrow.append(f"line {node.lineno}: {said}")
    assert narrow == []
