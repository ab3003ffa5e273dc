"""What each account posted in a month, what came back, and how many follow it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from smi_pipeline.metrics.columns import FLAGS, INSTANT, Schema, columns, flag_list
from smi_pipeline.metrics.rates import COMPLETE, REACTIONS, denominator, interactions, partial_counts, rates
from smi_pipeline.metrics.sums import fitting, total, wide
from smi_pipeline.metrics.validity import touches
from smi_pipeline.months import Month

# A follower count this far from a border of the month still speaks for the border.
SNAPSHOT_REACH: Final = timedelta(days=3)
KEYS: Final = ("platform", "account_id")
_COMPLETE_REACTIONS: Final = tuple(f"complete_{name}" for name in REACTIONS)
_SUMMED: Final = (
    *("posts", "videos", *REACTIONS, "views"),
    *("complete_posts", "complete_videos", *_COMPLETE_REACTIONS, "viewed_videos", "likes_above_views"),
)
_NUMBERS: Final = ("posts", "videos", "reposts", "complete_posts", "complete_videos", "viewed_videos")

ACCOUNT_MONTH: Final[Schema] = {
    "month": pl.Date,
    "platform": pl.String,
    "account_id": pl.String,
    "city_id": pl.String,
    "posts": pl.Int64,
    "reposts": pl.Int64,
    "videos": pl.Int64,
    "likes": pl.Int64,
    "comments": pl.Int64,
    "shares": pl.Int64,
    "interactions": pl.Int64,
    "engagement_rate": pl.Float64,
    "views": pl.Int64,
    "view_rate": pl.Float64,
    "followers": pl.Int64,
    "follower_growth": pl.Int64,
    "collection_id": pl.String,
    "flags": FLAGS,
    **dict.fromkeys(COMPLETE, pl.Int64),
    "engagement_rate_reported": pl.Float64,
    "view_rate_reported": pl.Float64,
}
_ASKED: Final[Schema] = dict.fromkeys(("platform", "account_id", "outcome", "collection_id"), pl.String)
_SUMS: Final[Schema] = {
    "platform": pl.String,
    "account_id": pl.String,
    "is_repost": pl.Boolean,
    **dict.fromkeys(_SUMMED, pl.Int64),
}
_REJECTS: Final[Schema] = {
    "platform": pl.String,
    "account_id": pl.String,
    "bad_counts": pl.Int64,
    "malformed": pl.Int64,
}
_JOINT: Final[Schema] = {"platform": pl.String, "account_id": pl.String, "joint_posts": pl.Int64}
_OBSERVATIONS: Final[Schema] = {
    "platform": pl.String,
    "account_id": pl.String,
    "collection_id": pl.String,
    "observed_at": INSTANT,
    "followers": pl.Int64,
}
_ACCOUNTS: Final[Schema] = {
    "city_id": pl.String,
    "platform": pl.String,
    "account_id": pl.String,
    "valid_from": pl.Date,
    "valid_to": pl.Date,
}


def account_month(
    *,
    asked: pl.DataFrame,
    sums: pl.DataFrame,
    rejects: pl.DataFrame,
    observations: pl.DataFrame,
    accounts: pl.DataFrame,
    month: Month,
    zone: ZoneInfo,
    include_reposts: bool,
    joint: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """One row for every account asked, silent and unreachable ones included.

    Args:
        asked: one row an account: platform, account_id, outcome, collection_id.
        sums: the month's posts added up: platform, account_id, is_repost, posts, videos, likes, comments, shares,
            views (null = no post reported it; views of videos only), and of the posts alone that have every count
            their platform reports: complete_posts, complete_videos, complete_likes, complete_comments,
            complete_shares, viewed_videos. likes_above_views: posts with more likes than views, in number.
        rejects: platform, account_id, bad_counts, malformed: how many counts and whole posts were refused.
        observations: follower counts near either border of the month, and the collection's own: platform,
            account_id, collection_id, observed_at (UTC), followers (null = not reported).
        accounts: the registry: city_id, platform, account_id, valid_from, valid_to.
        month: the month itself; `sums` and `rejects` with a `month` column are cut to it.
        zone: where the month's borders lie.
        include_reposts: count reposts of others among posts and reactions. `reposts` counts them either way.
        joint: platform, account_id, joint_posts: how many posts stand under another account too; null where none does.

    Returns:
        The columns of `ACCOUNT_MONTH`, sorted by platform and account_id. Counts are null, never 0, for an account
        that did not answer, and its outcome is the flag; an account that answered and posted nothing has 0 posts.
        `malformed`: posts whose id or time could not be read are not among the counts, which are lower bounds; an
        account that has no other posts has null posts, since theirs may or may not be of the month.
        `joint_post`: posts of it stand under another account as well, and staging counts each for one of them.
        `followers` is the count nearest the month's end within three days, else the collection's own, flagged
        followers_late; `follower_growth` needs a count near both borders. A count near the border holds even if
        the account did not answer later.
        `zero_denominator`: the engagement rate has nothing to divide by. `partial_count`: a post lacks a count that its
        platform reports of others. `likes_above_views`: one has more likes than views. `city_id` is null for an account
        that the registry does not know (any more).

    Raises:
        ValueError: a column is missing, or an account was asked twice.
        SumTooGreat: a sum does not fit in a bigint.
    """
    asked = columns(asked, _ASKED, name="asked")
    twice = asked.filter(asked.select(KEYS).is_duplicated())
    if twice.height:
        platform, account_id = twice.row(0)[:2]
        raise ValueError(f"asked: expected one row an account, got several for {platform} account {account_id!r}")
    sums = columns(_of(sums, month), _SUMS, name="sums").with_columns(pl.col("is_repost").fill_null(value=False))
    counted = sums if include_reposts else sums.filter(~pl.col("is_repost"))
    followers = columns(observations, _OBSERVATIONS, name="observations").drop_nulls("followers")
    answered = pl.col("outcome").is_in(("answered", "truncated", "renamed"))
    unreadable = (pl.col("posts").fill_null(0) == 0) & (pl.col("malformed").fill_null(0) > 0)
    return (
        asked.join(counted.group_by(KEYS).agg(map(total, _SUMMED)), on=KEYS, how="left")
        .join(sums.filter("is_repost").group_by(KEYS).agg(wide("posts").sum().alias("reposts")), on=KEYS, how="left")
        .join(_refused(columns(_of(rejects, month), _REJECTS, name="rejects")), on=KEYS, how="left")
        .join(_joint(joint, month), on=KEYS, how="left")
        .join(_city_of(columns(accounts, _ACCOUNTS, name="accounts"), month), on=KEYS, how="left")
        .join(nearest(followers, month.start(zone)).select(*KEYS, at_start="followers"), on=KEYS, how="left")
        .join(nearest(followers, month.end(zone)).select(*KEYS, at_end="followers"), on=KEYS, how="left")
        .join(
            last_of_collection(followers).select(*KEYS, "collection_id", own="followers"),
            on=(*KEYS, "collection_id"),
            how="left",
        )
        # An answer without posts is a count of zero; without an answer, or a post that can be read, there is no count.
        .with_columns(pl.when(answered & ~unreadable).then(pl.col(*_NUMBERS).fill_null(0)))
        .with_columns(pl.when(answered).then(pl.col(*REACTIONS, "views", *_COMPLETE_REACTIONS)))
        .with_columns(
            interactions(),
            interactions("complete_"),
            followers=pl.coalesce("at_end", "own"),
            follower_growth=wide("at_end") - wide("at_start"),
        )
        .pipe(fitting, table="metrics.account_month", month=month, keys=KEYS)
        .with_columns(*rates(), month=pl.lit(month.first))
        .with_columns(
            flags=pl.concat_list(
                pl.when(pl.col("outcome") != "answered").then(pl.col("outcome")),
                flag_list(
                    bad_count=pl.col("bad_counts") > 0,
                    malformed=pl.col("malformed") > 0,
                    partial_count=partial_counts(),
                    likes_above_views=pl.col("likes_above_views") > 0,
                    joint_post=pl.col("joint_posts") > 0,
                    zero_denominator=denominator() == 0,
                    followers_late=pl.col("at_end").is_null() & pl.col("own").is_not_null(),
                ),
            )
            .list.drop_nulls()
            .list.sort()
        )
        .select(pl.col(column).cast(dtype) for column, dtype in ACCOUNT_MONTH.items())
        .sort(KEYS)
    )


def _of(frame: pl.DataFrame, month: Month) -> pl.DataFrame:
    return frame.filter(pl.col("month") == month.first) if "month" in frame.columns else frame


def _refused(rejects: pl.DataFrame) -> pl.DataFrame:
    return rejects.group_by(KEYS).agg(wide("bad_counts", "malformed").sum())


def _joint(joint: pl.DataFrame | None, month: Month) -> pl.DataFrame:
    if joint is None:
        return pl.DataFrame(schema=_JOINT)
    return columns(_of(joint, month), _JOINT, name="joint").group_by(KEYS).agg(wide("joint_posts").sum())


def _city_of(accounts: pl.DataFrame, month: Month) -> pl.DataFrame:
    """The city of each account: as of this month, or as the registry last knew it."""
    return (
        accounts.sort(*KEYS, touches(month), "valid_from", "city_id")
        .unique(KEYS, keep="last", maintain_order=True)
        .select(*KEYS, "city_id")
    )


def nearest(followers: pl.DataFrame, border: datetime) -> pl.DataFrame:
    """Of each account the observation nearest an instant, within reach; of two at the same distance the earlier.

    Args:
        followers: platform, account_id, collection_id, observed_at, followers (none of them null).
        border: the instant.
    """
    distance = (pl.col("observed_at") - pl.lit(border, dtype=INSTANT)).abs()
    return (
        followers.with_columns(distance=distance)
        .filter(pl.col("distance") <= SNAPSHOT_REACH)
        .sort("distance", "observed_at", "collection_id", "followers")
        .unique(KEYS, keep="first", maintain_order=True)
        .drop("distance")
    )


def last_of_collection(followers: pl.DataFrame) -> pl.DataFrame:
    """Of each account the last observation of each collection; arguments as for `nearest`."""
    return followers.sort("observed_at", "followers").unique((*KEYS, "collection_id"), keep="last", maintain_order=True)
