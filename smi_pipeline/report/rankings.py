"""Rankings of an edition: order, ties, and what may be said about change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import fsum, inf
from typing import Any, Final

import polars as pl

from smi_pipeline.index.method import Method
from smi_pipeline.registry.models import PLATFORMS
from smi_pipeline.report.content import TOP, Change, City, Composition, Entry, FlagCount, Mover, Ranking
from smi_pipeline.report.untrusted import clean

COMPOSITE: Final = "composite"
EXPERT: Final = "expert"
INDEX_NAMES: Final = (COMPOSITE, *PLATFORMS)
MOVERS_SHOWN: Final = 5
NAME_LENGTH: Final = 80

Row = Mapping[str, Any]


def city_of(row: Row) -> City:
    """A city from any row that carries its id and names; the id stands in for a name the registry does not have."""
    zh, en, province = (clean(row[name] or "", length=NAME_LENGTH) for name in ("name_zh", "name_en", "province"))
    return City(row["city_id"], zh or row["city_id"], en or row["city_id"], province)


def ranking(rankings: pl.DataFrame, index_name: str) -> Ranking:
    """One index of marts.rankings as an ordered ranking; without entries where the index has no row."""
    rows = sorted(rankings.filter(pl.col("index_name") == index_name).iter_rows(named=True), key=_order)
    holders = Counter(row["rank"] for row in rows)
    compared = any(row["previous_rank"] is not None for row in rows)
    entries = tuple(
        Entry(
            city=city_of(row),
            rank=row["rank"],
            tied=row["rank"] is not None and holders[row["rank"]] > 1,
            score=row["score"],
            previous_rank=row["previous_rank"],
            change=change(row, compared=compared),
            flags=tuple(sorted(row["flags"] or ())),
        )
        for row in rows
    )
    return Ranking(index_name, compared, entries)


def with_every_city(given: Ranking, cities: Sequence[City]) -> Ranking:
    """The ranking with a line, unranked, for each monitored city it lacks: nobody monitored goes unmentioned."""
    named = {entry.city.city_id for entry in given.entries}
    absent = tuple(
        Entry(city, None, tied=False, score=None, previous_rank=None, change=NOTHING_SAID, flags=())
        for city in cities
        if city.city_id not in named
    )
    return Ranking(given.index_name, given.compared, given.entries + absent)


NOTHING_SAID: Final = Change("not_computed", None, entered=False)


def change(row: Row, *, compared: bool) -> Change:
    """What may be said of a city's rank against the month before.

    Args:
        row: rank, previous_rank, rank_change of marts.rankings: null where the two months do not compare.
        compared: whether the month before was computed for this index.
    """
    rank, previous, places = row["rank"], row["previous_rank"], row["rank_change"]
    if rank is None or not compared:
        return NOTHING_SAID
    if previous is None:
        return Change("new", None, entered=rank <= TOP)
    if places is None:
        return NOTHING_SAID
    entered = rank <= TOP < previous
    return Change("same" if places == 0 else "up" if places > 0 else "down", places, entered)


def movers(frame: pl.DataFrame, direction: str, cities: Mapping[str, City]) -> tuple[Mover, ...]:
    """The five largest changes of the composite in one direction ('up', 'down'): the farthest first, then by rank."""
    rows = frame.filter(
        (pl.col("index_name") == COMPOSITE) & (pl.col("direction") == direction) & pl.col("rank_change").is_not_null()
    ).iter_rows(named=True)
    ordered = sorted(rows, key=lambda row: (-abs(row["rank_change"]), row["rank"], row["city_id"]))
    return tuple(
        Mover(cities[row["city_id"]], row["rank"], row["previous_rank"], row["rank_change"])
        for row in ordered[:MOVERS_SHOWN]
    )


def composition(contribution: pl.DataFrame, top: Sequence[Entry], method: Method) -> tuple[Composition, ...]:
    """Points of each city in the top ten by platform and by group; cities without a contribution are left out."""
    points: dict[str, dict[str, list[float]]] = {}
    groups: dict[str, dict[str, list[float]]] = {}
    for row in contribution.iter_rows(named=True):
        if row["contribution"] is not None:
            rule = method.indicators.get(row["indicator"])
            group = rule.group if rule is not None else EXPERT
            for parts, part in ((points, row["platform"]), (groups, group)):
                parts.setdefault(row["city_id"], {}).setdefault(part, []).append(row["contribution"])
    return tuple(
        Composition(entry.city, entry.score, _added(points[entry.city.city_id]), _added(groups[entry.city.city_id]))
        for entry in top
        if entry.score is not None and entry.city.city_id in points
    )


def _added(parts: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {part: fsum(parts[part]) for part in sorted(parts)}


def flag_counts(rankings: pl.DataFrame) -> tuple[FlagCount, ...]:
    """Cities per flag and index, by flag, then composite first."""
    counted = Counter(
        (flag, row["index_name"]) for row in rankings.iter_rows(named=True) for flag in set(row["flags"] or ())
    )
    return tuple(
        FlagCount(flag, index_name, cities)
        for (flag, index_name), cities in sorted(counted.items(), key=lambda item: (item[0][0], _place(item[0][1])))
    )


def table(rankings: pl.DataFrame) -> pl.DataFrame:
    """marts.rankings in the order in which it is published: composite, then the platforms; by rank; unranked last."""
    order = {name: place for place, name in enumerate(INDEX_NAMES)}
    return (
        rankings.with_columns(
            pl.col("index_name").replace_strict(order, default=len(order), return_dtype=pl.Int64).alias("_place"),
            pl.col("flags").list.sort(),
        )
        .sort("_place", "index_name", "rank", "city_id", nulls_last=True)
        .drop("_place")
    )


def climb(entry: Entry) -> int:
    """Places gained against the month before; 0 where none were or it is not known."""
    return max(entry.change.places or 0, 0)


def highlighted(ranking: Ranking) -> Entry | None:
    """The farthest climb into the top ten; then a newcomer; then the farthest climb within; then a sole first.

    Of equal climbs the better rank is taken, then the smaller city id, which is the ranking's order.
    """
    top = ranking.top
    entered = [entry for entry in top if entry.change.entered]
    for candidates in ([e for e in entered if climb(e) > 0], entered, [e for e in top if e.change.kind == "up"]):
        if candidates:
            return max(candidates, key=climb)
    return top[0] if top and not top[0].tied else None


def marked(ranking: Ranking) -> str | None:
    """The city set off in a figure: the highlighted one, if it climbed or came in; its id."""
    entry = highlighted(ranking)
    moved = entry is not None and (entry.change.entered or entry.change.kind == "up")
    return entry.city.city_id if entry is not None and moved else None


def _place(index_name: str) -> int:
    return INDEX_NAMES.index(index_name) if index_name in INDEX_NAMES else len(INDEX_NAMES)


def _order(row: Row) -> tuple[float, float, str]:
    if row["rank"] is not None:
        return (row["rank"], 0.0, row["city_id"])
    return (inf, inf if row["score"] is None else -row["score"], row["city_id"])
