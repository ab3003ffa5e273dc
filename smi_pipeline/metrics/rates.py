"""Interactions, and the two rates: ratios of a month's sums, the same for an account and for a city."""

from __future__ import annotations

from typing import Final

import polars as pl

from smi_pipeline.metrics.sums import together

# Where every post is a video, the rate is a mean per video.
VIDEO_PLATFORMS: Final = ("youtube", "tiktok")
REACTIONS: Final = ("likes", "comments", "shares")


def interactions() -> pl.Expr:
    """Likes, comments and shares, as far as they were reported, wide; null where none of the three was."""
    return together(REACTIONS).alias("interactions")


def denominator() -> pl.Expr:
    """What the engagement rate divides by: posts; videos on YouTube and TikTok."""
    return pl.when(pl.col("platform").is_in(VIDEO_PLATFORMS)).then(pl.col("videos")).otherwise(pl.col("posts"))


def rates() -> list[pl.Expr]:
    """`engagement_rate` (interactions per post or video) and `view_rate` (views per video).

    Means, not percentages and not per follower; unrounded. Null where nothing was reported or nothing was posted.

    Source: the printed figures of the published index come out to the last digit (see the scenario's cases.yaml).
    """
    return [
        pl.when(denominator() > 0).then(pl.col("interactions") / denominator()).alias("engagement_rate"),
        pl.when(pl.col("videos") > 0).then(pl.col("views") / pl.col("videos")).alias("view_rate"),
    ]
