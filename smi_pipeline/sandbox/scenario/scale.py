"""What an account-month is worth, as the scenario understands method m1.

Written from the method's text and the goalposts beside this file. It shares no code with the index: where both give the
printed rankings, two readings of the method agree.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

GENERATE, INTERACTIVE, UTILIZE = 0.2, 0.4, 0.4
WEIGHTS = {
    "posts": 0.5, "videos": 0.5, "interactions": 0.6, "engagement_rate": 0.4,
    "followers": 0.35, "follower_growth": 0.20, "views": 0.30, "view_rate": 0.15,
}  # fmt: skip
_GROWTH_UNIT = 100.0


def goalposts() -> dict[str, dict[str, tuple[float, float]]]:
    """[lo, hi] per platform and indicator; an indicator that is not named does not apply there."""
    told: dict[str, dict[str, tuple[float, float]]] = json.loads(
        Path(__file__).with_name("goalposts.json").read_text(encoding="utf-8")
    )
    return told


@dataclass(frozen=True)
class Counted:
    """Figures of one month, one element an account. Growth counts only where `grown` says that it is known."""

    posts: Numbers
    videos: Numbers
    interactions: Numbers
    views: Numbers
    followers: Numbers
    growth: Numbers
    grown: Flags


class Scale:
    """The goalposts of a list of accounts, one element an account."""

    def __init__(self, platforms: list[str]) -> None:
        table = goalposts()
        self._ends: dict[str, tuple[Numbers, Numbers]] = {}
        for name in WEIGHTS:
            ends = [table[platform].get(name, (np.nan, np.nan)) for platform in platforms]
            low, high = np.array(ends, dtype=float).reshape(-1, 2).T
            self._ends[name] = (_transformed(name, low), _transformed(name, high))
        self.lowest, self.highest = (
            {name: np.array([table[p].get(name, (0, 0))[end] for p in platforms], float) for name in WEIGHTS}
            for end in (0, 1)
        )
        self.viewed: Flags = ~np.isnan(self._ends["views"][0])

    def points(self, name: str, value: Numbers) -> Numbers:
        """0 to 100 for an indicator's values; NaN where it does not apply."""
        low, high = self._ends[name]
        scaled: Numbers = 100 * np.clip((_transformed(name, value) - low) / (high - low), 0, 1)
        return scaled

    def value(self, name: str, points: Numbers) -> Numbers:
        """The value worth so many points; 0 where the indicator does not apply."""
        low, high = self._ends[name]
        at = low + points / 100 * (high - low)
        back = _GROWTH_UNIT * np.sinh(at) if name == "follower_growth" else np.expm1(at)
        return np.nan_to_num(back, nan=0.0)

    def growth_like_the_rest(self, given: Counted) -> Numbers:
        """Points of growth that leave the score as it is without growth: the weighted mean of its siblings."""
        parts = self._utilize(given)
        del parts["follower_growth"]
        return _mean(parts)

    def rate(self, given: Counted) -> Numbers:
        """Interactions per post, per video where views are scored; 0 without one."""
        per = np.where(self.viewed, given.videos, given.posts)
        return np.divide(given.interactions, per, out=np.zeros_like(per), where=per > 0)

    def score(self, given: Counted) -> Numbers:
        """0 to 100 an account. A rate without a post (a video) is worth nothing."""
        posts = np.where(self.viewed, np.nan, self.points("posts", given.posts))
        generate = {"posts": posts, "videos": self.points("videos", given.videos)}
        interactive = {
            "interactions": self.points("interactions", given.interactions),
            "engagement_rate": self.points("engagement_rate", self.rate(given)),
        }
        total: Numbers = (
            GENERATE * _mean(generate) + INTERACTIVE * _mean(interactive) + UTILIZE * _mean(self._utilize(given))
        )
        return total

    def _utilize(self, given: Counted) -> dict[str, Numbers]:
        per_video = np.divide(given.views, given.videos, out=np.zeros_like(given.views), where=given.videos > 0)
        growth = self.points("follower_growth", given.growth)
        return {
            "followers": self.points("followers", given.followers),
            "follower_growth": np.where(given.grown, growth, np.nan),
            "views": self.points("views", given.views),
            "view_rate": self.points("view_rate", per_video),
        }


def _mean(parts: dict[str, Numbers]) -> Numbers:
    """The weighted mean of a group; NaN parts hand their weight to their siblings."""
    weights = np.array([np.where(np.isnan(part), 0.0, WEIGHTS[name]) for name, part in parts.items()])
    mean: Numbers = (weights * np.nan_to_num(np.array(list(parts.values())))).sum(axis=0) / weights.sum(axis=0)
    return mean


def _transformed(name: str, value: Numbers) -> Numbers:
    done: Numbers = np.arcsinh(value / _GROWTH_UNIT) if name == "follower_growth" else np.log1p(value)
    return done
