"""From the figures of an account-month to its posts: when, of what kind, and what came back on each. Sums are exact."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import numpy.typing as npt

from smi_pipeline.sandbox.dataset import PLATFORMS, Counts, Kind, Platform
from smi_pipeline.sandbox.scenario.cases import CasePost, cases
from smi_pipeline.sandbox.scenario.figures import AccountMonth
from smi_pipeline.sandbox.scenario.scale import Numbers

SHANGHAI = timezone(timedelta(hours=8))
Whole = npt.NDArray[np.int64]

# Kinds and how often each is taken, of posts without and with a moving picture.
_STILL: dict[Platform, dict[Kind, float]] = {
    "facebook": {"photo": 0.6, "album": 0.22, "link": 0.11, "text": 0.07},
    "x": {"photo": 0.62, "text": 0.23, "link": 0.15},
    "instagram": {"photo": 0.55, "album": 0.45},
}
_MOVING: dict[Platform, dict[Kind, float]] = {
    "facebook": {"video": 0.65, "short": 0.35},
    "x": {"video": 1.0},
    "instagram": {"short": 0.75, "video": 0.25},
    "youtube": {"video": 0.6, "short": 0.4},
    "tiktok": {"short": 0.85, "video": 0.15},
}
_PULL: dict[Kind, float] = {"video": 1.5, "short": 1.7, "album": 1.2, "photo": 1.0, "link": 0.5, "text": 0.6}
# Of a post's interactions: comments, and shares where the platform tells them.
_COMMENTS: dict[Platform, float] = {"facebook": 0.06, "x": 0.06, "instagram": 0.025, "youtube": 0.08, "tiktok": 0.03}
_SHARES: dict[Platform, float] = {"facebook": 0.08, "x": 0.18, "tiktok": 0.07}
# Posts of an hour of the day in China: office hours and the evening, and a few for whoever is awake elsewhere.
_HOURS = (2, 1, 1, 1, 1, 1, 2, 4, 8, 10, 10, 8, 7, 5, 6, 7, 8, 8, 7, 8, 9, 8, 5, 3)
_WEEKEND = 0.65
_YOUNG = timedelta(days=10)
_HIDING = 25  # one Instagram account in so many hides the likes of some posts


@dataclass(frozen=True, slots=True)
class PostFigures:
    """One post. `counts` are those of the 10th of the next month; `early` those of the 3rd, where they were smaller."""

    month: str
    platform: Platform
    city_id: str
    number: int
    created_at: datetime
    kind: Kind
    counts: Counts
    early: Counts | None
    case: CasePost | None


def split(figures: list[AccountMonth], seed: int) -> Iterator[PostFigures]:
    """The posts of every account-month, each account's oldest first."""
    for one in figures:
        if one.posts:
            yield from _Month(one, seed).posts()


class _Month:
    """One account-month being split. Its draws depend on the seed and on itself, on no other account-month."""

    def __init__(self, one: AccountMonth, seed: int) -> None:
        self._one = one
        year, month = (int(part) for part in one.month.split("-"))
        self._year, self._month = year, month
        self._provisional_cut = datetime(year + month // 12, month % 12 + 1, 3, 6, tzinfo=SHANGHAI)
        key = [seed, 2, year * 100 + month, PLATFORMS.index(one.platform), int(one.city_id)]
        self._random = np.random.default_rng(np.random.SeedSequence(key))
        self._cases = cases().posts.get((one.month, one.platform, one.city_id), ())
        self._hides = one.platform == "instagram" and int(one.city_id) // 100 % _HIDING == 0

    def posts(self) -> Iterator[PostFigures]:
        """In order of time; the figures of the account-month are their sums."""
        one, count = self._one, self._one.posts
        chosen = {case: place for place, case in enumerate(self._cases)}  # the first places are the printed posts'
        times = self._times(count)
        order = sorted(range(count), key=lambda place: times[place])
        kinds = self._kinds(count, {place: case.kind for case, place in chosen.items()})
        hidden = self._random.random(count) < (0.3 if self._hides else 0)
        interactions = self._interactions(kinds, hidden, chosen)
        views = self._views(kinds, interactions, chosen)
        of_case = {place: case for case, place in chosen.items()}
        habits = self._random.lognormal(0, 0.4, (count, 2)).tolist()
        for number, place in enumerate(order):
            at, case = times[place], of_case.get(place)
            if hidden[place]:
                counts = Counts(None, int(interactions[place]), None, views[place])
            else:
                counts = self._counts(int(interactions[place]), views[place], habits[place], case)
            yield PostFigures(
                month=one.month,
                platform=one.platform,
                city_id=one.city_id,
                number=number,
                created_at=at,
                kind=kinds[place],
                counts=counts,
                early=self._early(at, counts),
                case=case,
            )

    def _times(self, count: int) -> list[datetime]:
        days = calendar.monthrange(self._year, self._month)[1]
        weekday = np.array([calendar.weekday(self._year, self._month, day + 1) for day in range(days)])
        of_days = np.where(weekday >= calendar.SATURDAY, _WEEKEND, 1.0)
        of_hours = np.array(_HOURS, dtype=float)
        day = self._random.choice(days, count, p=of_days / of_days.sum()) + 1
        day[: len(self._cases)] = [case.day.day for case in self._cases]
        hour = self._random.choice(24, count, p=of_hours / of_hours.sum())
        minute, second = self._random.integers(0, 60, (2, count))
        begin = datetime(self._year, self._month, 1, tzinfo=SHANGHAI).astimezone(UTC)
        seconds = (((day - 1) * 24 + hour) * 60 + minute) * 60 + second
        return [begin + timedelta(seconds=after) for after in seconds.tolist()]

    def _kinds(self, count: int, given: dict[int, Kind]) -> list[Kind]:
        """A kind a post, so many of them moving pictures as the month has videos."""
        platform, videos = self._one.platform, self._one.videos
        moving = {place for place, kind in given.items() if kind in _MOVING[platform]}
        free = [place for place in range(count) if place not in given]
        others = self._random.permutation(np.array(free, dtype=int))[: max(videos - len(moving), 0)]
        moving |= {int(place) for place in others}
        still = _drawn(_STILL.get(platform, _MOVING[platform]), count, self._random)
        motion = _drawn(_MOVING[platform], count, self._random)
        return [given.get(place) or (motion if place in moving else still)[place] for place in range(count)]

    def _interactions(self, kinds: list[Kind], hidden: npt.NDArray[np.bool_], chosen: dict[CasePost, int]) -> Whole:
        total = self._one.interactions
        weight = self._random.lognormal(0, 0.9, len(kinds)) * np.array([_PULL[kind] for kind in kinds])
        weight = np.where(hidden, weight * 0.02, weight)
        floor = np.zeros(len(kinds), dtype=np.int64)
        for case, place in chosen.items():
            if case.likes_over is not None:
                floor[place] = round(case.likes_over * self._random.uniform(1.25, 1.6))
        weight = np.where(floor > 0, 0, weight)
        return floor + _shared_out(total - int(floor.sum()), weight)

    def _views(self, kinds: list[Kind], interactions: Whole, chosen: dict[CasePost, int]) -> list[int | None]:
        platform, total = self._one.platform, self._one.views
        noise = self._random.lognormal(0, 0.35, len(kinds))
        if total is not None:
            given = np.zeros(len(kinds), dtype=np.int64)
            for case, place in chosen.items():
                given[place] = case.views or 0
            weight = np.where(given > 0, 0, (interactions + 3) * noise)
            return [int(number) for number in given + _shared_out(total - int(given.sum()), weight)]
        if platform == "x":
            return [int(number) for number in (interactions + 2) * noise * 38]
        if platform == "instagram":
            moving = [kind in _MOVING[platform] for kind in kinds]
            views: list[int | None] = [
                int(number) if video else None
                for number, video in zip((interactions + 2) * noise * 9, moving, strict=True)
            ]
            for case, place in chosen.items():
                views[place] = case.views
            return views
        return [None] * len(kinds)

    def _counts(self, interactions: int, views: int | None, habits: list[float], case: CasePost | None) -> Counts:
        platform = self._one.platform
        comments = int(interactions * min(_COMMENTS[platform] * habits[0], 0.4))
        shares = int(interactions * min(_SHARES[platform] * habits[1], 0.5)) if platform in _SHARES else None
        if case is not None and case.likes_over is not None:
            spare = max(interactions - case.likes_over - 1, 0)
            comments, shares = min(comments, spare // 3), None if shares is None else min(shares, spare // 3)
        return Counts(interactions - comments - (shares or 0), comments, shares, views)

    def _early(self, at: datetime, counts: Counts) -> Counts | None:
        age = self._provisional_cut - at
        if age > _YOUNG:
            return None
        part = 1 - 0.22 * float(np.exp(-age / timedelta(days=4))) * float(self._random.uniform(0.4, 1))
        early = Counts(*[None if number is None else int(number * part) for number in counts])
        return None if early == counts else early


def _drawn(kinds: dict[Kind, float], count: int, random: np.random.Generator) -> list[Kind]:
    names = list(kinds)
    return [names[number] for number in random.choice(len(names), count, p=list(kinds.values())).tolist()]


def _shared_out(total: int, weight: Numbers) -> Whole:
    """A whole number shared out by weight: whole parts that add up to it."""
    if total <= 0 or not weight.sum():
        return np.zeros(len(weight), dtype=np.int64)
    steps = np.round(total * np.cumsum(weight) / weight.sum()).astype(np.int64)
    steps[-1] = total
    parts: Whole = np.diff(steps, prepend=0)
    return parts
