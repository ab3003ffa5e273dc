"""Interactions, and the two rates: ratios of a month's sums, the same for an account and for a city.

Each rate is computed under two rules, and a method says which one counts. `all` divides by every post: a count that is
not reported acts as 0. `reported` takes only posts that have every count their platform reports in the month.
"""

from __future__ import annotations

from typing import Final, Literal

import polars as pl

from smi_pipeline.metrics.sums import together

# Where every post is a video, the rate is a mean per video.
VIDEO_PLATFORMS: Final = ("youtube", "tiktok")
REACTIONS: Final = ("likes", "comments", "shares")
COMPLETE: Final = ("complete_posts", "complete_videos", "complete_interactions", "viewed_videos")
RateRule = Literal["reported", "all"]


def interactions(kind: str = "") -> pl.Expr:
    """Likes, comments and shares, as far as they were reported, wide; null where none of the three was.

    `kind`: "complete_" for those of the complete posts alone.
    """
    return together([f"{kind}{name}" for name in REACTIONS]).alias(f"{kind}interactions")


def denominator(kind: str = "") -> pl.Expr:
    """What the engagement rate divides by: posts; videos on YouTube and TikTok. `kind`: "complete_" for those alone."""
    videos = pl.col("platform").is_in(VIDEO_PLATFORMS)
    return pl.when(videos).then(pl.col(f"{kind}videos")).otherwise(pl.col(f"{kind}posts"))


def rates() -> list[pl.Expr]:
    """Interactions per post (per video where every post is one) and views per video, of all posts and of complete ones.

    `engagement_rate` and `view_rate` are of all, `engagement_rate_reported` of the complete posts, `view_rate_reported`
    of the videos with views. Means, not percentages and not per follower; unrounded. Null where nothing was reported or
    nothing was posted, and of complete posts where none is complete.

    Source: the printed figures of the published index come out to the last digit (see the scenario's cases.yaml).
    """
    return [
        _ratio("interactions", denominator()).alias("engagement_rate"),
        _ratio("views", pl.col("videos")).alias("view_rate"),
        _ratio("complete_interactions", denominator("complete_")).alias("engagement_rate_reported"),
        _ratio("views", pl.col("viewed_videos")).alias("view_rate_reported"),
    ]


def partial_counts() -> pl.Expr:
    """Whether a post or video lacks a count that its platform reports of others in the month; false where none does."""
    lacking = (denominator("complete_") < denominator()) | (pl.col("viewed_videos") < pl.col("videos"))
    return lacking.fill_null(value=False)


def under(rule: RateRule, metrics: pl.DataFrame) -> pl.DataFrame:
    """The metrics with `engagement_rate` and `view_rate` as the rule has them.

    Args:
        rule: the method's.
        metrics: metrics.account_month or metrics.city_platform_month, of any months. A month that an earlier version
            derived has no rates of complete posts: it keeps those of all its posts until it is derived again.
    """
    if rule == "all" or "complete_posts" not in metrics.columns:
        return metrics
    computed = pl.col("complete_posts").is_not_null()
    return metrics.with_columns(
        pl.when(computed).then(pl.col(f"{rate}_reported")).otherwise(pl.col(rate)).alias(rate)
        for rate in ("engagement_rate", "view_rate")
    )


def _ratio(above: str, below: pl.Expr) -> pl.Expr:
    return pl.when(below > 0).then(pl.col(above) / below)
