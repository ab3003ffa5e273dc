"""The figures of every account in every month: integers first, then the interactions that hit the target score.

Posts, videos and the path of followers are drawn and fixed; the one unknown left is the number of interactions (with
the views in a fixed ratio to them), found by bisection on the score. Where interactions are printed the size of the
audience is the unknown instead. Scoring and drawing know the method and the targets, never a ranking.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from smi_pipeline.sandbox.dataset import PLATFORMS, Platform
from smi_pipeline.sandbox.scenario.cases import Cell, cases
from smi_pipeline.sandbox.scenario.scale import Counted, Flags, Numbers, Scale

NEUTRAL = "2025-05"
"""In this month growth is worth what its siblings are: the month alone, without April's followers, ranks alike."""

_WEAK_SHARE = 0.078
_STRONG = 58  # points: from here on an account loses no followers and has no small audience
_FASTEST = {
    "facebook": 0.04,
    "x": 0.04,
    "instagram": 0.04,
    "youtube": 0.04,
    "tiktok": 0.10,
}  # growth a month of the whole
_HIGHEST = 0.85  # of the upper goalpost
_MISS = 0.02  # points: so near to its target an account is left alone
_BISECTIONS = 40
_ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class AccountMonth:
    """One account in one month. `opening` is None where nothing was counted at its begin; views are of videos."""

    month: str
    platform: Platform
    city_id: str
    posts: int
    videos: int
    interactions: int
    views: int | None
    followers: int
    opening: int | None


@dataclass(frozen=True)
class Targets:
    """targets.csv as a matrix: one row an account, one column a month, NaN where there is no account yet."""

    months: tuple[str, ...]
    accounts: tuple[tuple[Platform, str], ...]
    scores: Numbers


def targets() -> Targets:
    """The target scores of every account."""
    with Path(__file__).with_name("targets.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    months = sorted({row["month"] for row in rows})
    cell = {(p, row["city_id"], row["month"]): float(row[p]) for row in rows for p in PLATFORMS if row[p]}
    accounts = sorted({(p, city) for p, city, _ in cell}, key=lambda one: (PLATFORMS.index(one[0]), one[1]))
    scores = np.array([[cell.get((*account, month), np.nan) for month in months] for account in accounts])
    return Targets(tuple(months), tuple(accounts), scores)


def figures(seed: int) -> list[AccountMonth]:
    """Every account in every month it has a target, by month, platform and city."""
    return _Figures(targets(), seed).all()


class _Figures:
    """The months of all accounts, one element an account throughout."""

    def __init__(self, aims: Targets, seed: int) -> None:
        self._aims = aims
        self._platforms: list[Platform] = [platform for platform, _ in aims.accounts]
        self._scale = Scale(list(self._platforms))
        self._random = np.random.default_rng(np.random.SeedSequence([seed, 1]))
        self._weak = _weakest(aims)
        self._first = np.argmax(~np.isnan(aims.scores), axis=1)
        self._cutting = np.array([platform == "youtube" for platform in self._platforms])  # to three figures, as shown
        self._ratio = self._random.uniform(14, 40, len(aims.accounts))  # views an interaction
        self._draw_posts()
        self._draw_followers()

    def all(self) -> list[AccountMonth]:
        told: list[AccountMonth] = []
        for number, month in enumerate(self._aims.months):
            done = self._month(number)
            for row, (platform, city) in enumerate(self._aims.accounts):
                if number >= self._first[row]:
                    told.append(
                        AccountMonth(
                            month=month,
                            platform=platform,
                            city_id=city,
                            posts=int(done.posts[row]),
                            videos=int(done.videos[row]),
                            interactions=int(done.interactions[row]),
                            views=int(done.views[row]) if self._scale.viewed[row] else None,
                            followers=int(done.followers[row]),
                            opening=int(done.followers[row] - done.growth[row]) if done.grown[row] else None,
                        )
                    )
        return told

    def _draw_posts(self) -> None:
        """Posts and videos of every month, worth about the target."""
        scores, viewed = self._aims.scores, self._scale.viewed
        habit = self._random.uniform(-8, 8, (len(scores), 1))
        posts, videos = np.ones(scores.shape), np.zeros(scores.shape)
        for month in range(scores.shape[1]):
            aim = np.nan_to_num(scores[:, month], nan=50.0) + habit[:, 0] + self._random.uniform(-4, 4, len(scores))
            aim = np.where(self._weak, self._random.uniform(20, 34, len(scores)), np.clip(aim, 14, 92))
            drawn = np.round(self._scale.value("posts", aim))
            share = np.where(viewed, aim, np.clip(aim - self._random.uniform(12, 26, len(scores)), 0, 90))
            of_videos = np.round(self._scale.value("videos", share))
            videos[:, month] = np.maximum(of_videos, viewed)
            posts[:, month] = np.where(viewed, videos[:, month], np.maximum(drawn, 1))
        self._posts, self._videos = posts, np.minimum(videos, posts)

    def _draw_followers(self) -> None:
        """Followers at the end of every month (column m + 1) and at the begin of the first (column 0)."""
        scores, weak = self._aims.scores, self._weak
        level = np.nanmean(scores, axis=1)
        level = np.clip(level + self._random.uniform(np.where(level > _STRONG, 0, -7), 7), 8, 94)
        level = np.where(weak, self._random.uniform(2, 7, len(scores)), level)
        size = self._scale.value("followers", level)
        fastest = np.array([_FASTEST[platform] for platform in self._platforms]) * size
        growth = np.zeros(scores.shape)
        for month in range(scores.shape[1]):
            aim = np.nan_to_num(scores[:, month], nan=40.0) + self._random.uniform(-9, 9, len(scores))
            drawn = np.minimum(self._scale.value("follower_growth", np.clip(aim, 0, 100)), fastest)
            floor = np.where(np.nan_to_num(scores[:, month], nan=100.0) > _STRONG, 1, -80)
            growth[:, month] = np.maximum(drawn, floor)
            growth[:, month] = np.where(weak, self._random.uniform(-3, 12, len(scores)), growth[:, month])
        self._growth = np.round(growth)
        self._size = size
        self._anchor = np.full(len(scores), self._aims.months.index(NEUTRAL))  # the month in which the size is as drawn
        for (key, platform, city), cell in cases().cells.items():
            row, at = self._aims.accounts.index((platform, city)), self._aims.months.index(key)
            self._anchor[row] = at
            if cell.interactions is not None:
                self._size[row] = self._size_for(row, at, cell)
        for (key, platform, city), of in cases().records.items():
            if of == "rates":
                continue
            row, at = self._aims.accounts.index((platform, city)), self._aims.months.index(key)
            self._size[row], self._anchor[row] = 0.62 * self._scale.highest["followers"][row], at
            self._growth[row, at] = round(0.7 * self._scale.highest["follower_growth"][row])
        self._path()

    def _path(self) -> None:
        """From sizes and growth to followers, with the neutral month's growth put in."""
        neutral = self._aims.months.index(NEUTRAL)
        rows = np.arange(len(self._size))
        for _ in range(12):  # growth that is worth what the followers are, which depend on it
            summed = np.concatenate([np.zeros((len(rows), 1)), np.cumsum(self._growth, axis=1)], axis=1)
            followers = self._size[:, None] + summed - summed[rows, self._anchor + 1][:, None]
            points = self._scale.points("followers", followers[:, neutral + 1])
            free = ~self._scale.viewed & ~self._weak
            like = np.round(self._scale.value("follower_growth", points))
            self._growth[:, neutral] = np.where(free, like, self._growth[:, neutral])
        self._followers = np.maximum(np.round(followers), 50)

    def _size_for(self, row: int, month: int, cell: Cell) -> float:
        """The followers with which given interactions hit the target."""
        scale = Scale([self._platforms[row]])
        low, high = np.log(50.0), np.log(2 * scale.highest["followers"][0])
        videos = cell.videos or min(self._videos[row, month], cell.posts or 1)
        for _ in range(_BISECTIONS):
            size = np.round(np.exp((low + high) / 2))
            growth = self._growth[row, month]
            if self._aims.months[month] == NEUTRAL:
                growth = np.round(scale.value("follower_growth", scale.points("followers", np.array([size])))[0])
            one = Counted(
                posts=np.array([float(cell.posts or 1)]),
                videos=np.array([float(videos)]),
                interactions=np.array([float(cell.interactions or 0)]),
                views=np.zeros(1),
                followers=np.array([size]),
                growth=np.array([growth]),
                grown=np.array([True]),
            )
            if scale.score(one)[0] < self._aims.scores[row, month]:
                low = np.log(size)
            else:
                high = np.log(size)
        return float(np.round(np.exp(high)))

    def _month(self, month: int) -> Counted:
        """One month of all accounts, the interactions solved for."""
        aim = self._aims.scores[:, month]
        posts, videos = self._posts[:, month].copy(), self._videos[:, month].copy()
        shown = self._shown(self._followers)
        followers, growth = shown[:, month + 1], shown[:, month + 1] - shown[:, month]
        grown = self._first < month  # what was asked for the first time has nothing to be compared with
        free = ~self._weak & ~np.isnan(aim)
        given = Counted(posts, videos, np.zeros_like(posts), np.zeros_like(posts), followers, growth, grown)
        given, fixed = self._with_cases(given, month)
        fixed |= self._weak
        if self._aims.months[month] == NEUTRAL:
            given = self._neutral(given, aim, fixed | self._printed_growth(month))
        self._followers[:, month + 1 :] += (given.followers - followers)[:, None]  # the path goes on from there
        solved = self._solved(given, aim, fixed)
        for _ in range(_ATTEMPTS):  # out of reach, or at a rate beyond all others: more posts; too much: fewer
            miss = aim - self._scale.score(solved)
            beyond = self._scale.rate(solved) > _HIGHEST * self._scale.highest["engagement_rate"]
            more = ~fixed & free & (beyond | (miss > _MISS))
            fewer = ~fixed & free & ~more & (miss < -_MISS)
            if not (more | fewer).any():
                break
            given = self._with_posts(given, more, fewer)
            solved = self._solved(given, aim, fixed)
        return self._weakened(solved)

    def _printed_growth(self, month: int) -> Flags:
        cells = (cases().cells.get((self._aims.months[month], *account)) for account in self._aims.accounts)
        return np.array([cell is not None and cell.growth is not None for cell in cells])

    def _with_posts(self, given: Counted, more: Flags, fewer: Flags) -> Counted:
        """The same with a third more posts and videos here, a quarter fewer there; printed numbers of them stay."""
        factor, step = np.where(more, 1.35, np.where(fewer, 0.75, 1.0)), more.astype(float) - fewer
        most = self._scale.highest
        videos = np.maximum(np.round(given.videos * factor) + step, self._scale.viewed)
        videos = np.minimum(videos, np.maximum(_HIGHEST * most["videos"] // 1, given.videos))
        posts = np.where(self._scale.viewed, videos, np.maximum(np.round(given.posts * factor) + step, 1))
        posts = np.minimum(posts, np.maximum(_HIGHEST * np.maximum(most["posts"], most["videos"]) // 1, given.posts))
        return replace(given, posts=posts, videos=np.minimum(videos, posts))

    def _neutral(self, given: Counted, aim: Numbers, fixed: Flags) -> Counted:
        """Growth where views count: what the siblings are worth, from a first solution without growth."""
        rough = self._solved(replace(given, grown=np.zeros_like(given.grown)), aim, fixed)
        like = self._scale.value("follower_growth", self._scale.growth_like_the_rest(rough))
        opening = given.followers - given.growth
        chosen = self._scale.viewed & ~fixed & given.grown
        followers = np.where(chosen, self._cut(np.maximum(opening + like, 50)), given.followers)
        return replace(given, followers=followers, growth=followers - opening)

    def _solved(self, given: Counted, aim: Numbers, fixed: Flags) -> Counted:
        """The interactions, and views with them, that come nearest to the target; `fixed` rows stay as they are."""
        low, high = np.zeros_like(aim), self._scale.highest["interactions"] * _HIGHEST
        views_given = given.views > 0
        limit = np.where(self._scale.viewed, self._scale.highest["views"], 0)

        def at(interactions: Numbers) -> Counted:
            views = np.where(self._scale.viewed, np.minimum(np.round(interactions * self._ratio), limit), 0)
            return replace(
                given,
                interactions=np.where(fixed, given.interactions, interactions),
                views=np.where(views_given | fixed, given.views, views),
            )

        return at(_nearest(lambda tried: self._scale.score(at(tried)), aim, low, high))

    def _with_cases(self, given: Counted, month: int) -> tuple[Counted, Flags]:
        """Put printed figures and record months in; gives also which rows have nothing left to solve."""
        fixed = np.zeros(len(given.posts), dtype=bool)
        posts, videos, interactions, views = (
            a.copy() for a in (given.posts, given.videos, given.interactions, given.views)
        )
        growth, followers = given.growth.copy(), given.followers.copy()
        for row, (platform, city) in enumerate(self._aims.accounts):
            key = (self._aims.months[month], platform, city)
            if key in cases().records:
                highest = {name: float(ends[row]) for name, ends in self._scale.highest.items()}
                posts[row], videos[row], interactions[row], views[row] = _record(cases().records[key], highest)
                fixed[row] = True
            cell = cases().cells.get(key)
            if cell is None:
                continue
            videos[row] = cell.videos if cell.videos is not None else min(videos[row], cell.posts or videos[row])
            posts[row] = cell.posts if cell.posts is not None else videos[row]
            views[row] = cell.views or 0
            if cell.interactions is not None:
                interactions[row], fixed[row] = cell.interactions, True
            if cell.growth is not None:
                followers[row] += cell.growth - growth[row]
                growth[row] = cell.growth
        return Counted(posts, videos, interactions, views, followers, growth, given.grown), fixed

    def _weakened(self, given: Counted) -> Counted:
        """Accounts near the lower goalposts: hardly any reaction to a handful of posts."""
        count, viewed = len(given.posts), self._scale.viewed
        lowest = self._scale.lowest
        handful = np.ceil(lowest["interactions"] / lowest["engagement_rate"])
        rate = self._scale.value("engagement_rate", self._random.uniform(0.5, 5, count))
        posts = np.where(self._weak, handful, given.posts)
        reacted = np.ceil(rate * handful)
        videos = np.where(viewed & self._weak, posts, np.minimum(given.videos, posts))
        seen = np.ceil(self._scale.value("view_rate", self._random.uniform(2, 9, count)) * posts)
        return Counted(
            posts=posts,
            videos=videos,
            interactions=np.where(self._weak, reacted, given.interactions),
            views=np.where(self._weak & viewed, seen, given.views),
            followers=given.followers,
            growth=given.growth,
            grown=given.grown,
        )

    def _shown(self, followers: Numbers) -> Numbers:
        return np.where(self._cutting[:, None], _three_figures(followers), followers)

    def _cut(self, followers: Numbers) -> Numbers:
        return np.where(self._cutting, _three_figures(followers), np.round(followers))


def _record(of: Literal["volumes", "rates"], highest: dict[str, float]) -> tuple[int, int, int, int]:
    """Posts, videos, interactions and views between half and all of the upper goalposts, of totals or of rates."""
    if of == "volumes":
        videos = round(0.66 * highest["videos"])
        posts = max(round(0.7 * highest["posts"]), videos)
        return posts, videos, round(0.8 * highest["interactions"]), round(0.8 * highest["views"])
    posts = 2
    return posts, posts, round(0.7 * highest["engagement_rate"] * posts), round(0.7 * highest["view_rate"] * posts)


def _weakest(aims: Targets) -> Flags:
    """The accounts of each platform with the lowest mean targets."""
    weak = np.zeros(len(aims.accounts), dtype=bool)
    means = np.nanmean(aims.scores, axis=1)
    for platform in PLATFORMS:
        rows = [row for row, (on, _) in enumerate(aims.accounts) if on == platform]
        count = round(_WEAK_SHARE * len(rows))
        weak[sorted(rows, key=lambda row: means[row])[:count]] = True
    return weak


def _nearest(score: Callable[[Numbers], Numbers], aim: Numbers, low: Numbers, high: Numbers) -> Numbers:
    """The whole numbers in [low, high] whose score, which never falls as they grow, is nearest to the aim."""
    below, above = np.floor(low), np.floor(high)
    for _ in range(_BISECTIONS):
        middle = np.floor((below + above) / 2)
        less = score(middle) < aim
        before, below, above = (below, above), np.where(less, middle, below), np.where(less, above, middle)
        if np.array_equal(before, (below, above)):  # nothing is left between them anywhere
            break
    nearer = np.abs(score(below) - aim) < np.abs(score(above) - aim)
    return np.where(nearer, below, above)


def _three_figures(numbers: Sequence[float] | Numbers) -> Numbers:
    """Cut to three significant figures, as YouTube shows subscribers."""
    whole = np.maximum(np.floor(np.asarray(numbers, dtype=float)), 1)
    unit = 10.0 ** np.maximum(np.floor(np.log10(whole)) - 2, 0)
    cut: Numbers = np.floor(whole / unit) * unit
    return cut
