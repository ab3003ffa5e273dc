"""An edition without ranks: whom it lists, in which order, and what it leaves out.

The index is computed as ever; only what is published does without. It is decided here once, on the values: a template
or a sentence that finds no rank, score or change to print has nothing to give away.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import inf
from typing import Any, Final

from smi_pipeline.months import Month
from smi_pipeline.registry.inputs import EditionRule
from smi_pipeline.report.content import TOP, City, Entry, Hashtag, Ranking, ReportContext, Withheld
from smi_pipeline.report.rankings import NOTHING_SAID
from smi_pipeline.report.untrusted import clean

REASON_LENGTH: Final = 200
# What a city is and whether it leads. Named one by one: a column that marts.rankings gains later stays out unasked.
_COLUMNS: Final = ("month", "index_name", "city_id", "name_zh", "name_en", "province", "status", "flags")
# Flags about a change of rank. `common_set` alone would tell who stands below a newcomer.
_ABOUT_CHANGE: Final = frozenset({"common_set", "changed_set", "status_changed"})


def drawn(city_ids: Iterable[str], *, month: Month, version: str, index_name: str) -> list[str]:
    """The cities in an order drawn by lot: each city's lot is a checksum of month, method version, index and its id.

    Neither a score nor the order in which they come goes into it, and any machine draws the same.
    """

    def lot(city_id: str) -> tuple[bytes, str]:
        return hashlib.sha256(f"{month.key}\n{version}\n{index_name}\n{city_id}".encode()).digest(), city_id

    return sorted(city_ids, key=lot)


def withhold(context: ReportContext, rule: EditionRule) -> ReportContext:
    """The edition without ranks, scores, changes, and whatever they could be computed from.

    The counts behind the scores go, too: the method is public, so a city's counts of the month are its score. So do the
    hashtags' figures: what only one city's posts are tagged with, its own name for one, adds up to that city's counts.
    What belongs to single posts, to a platform or to the method stays.
    """
    rankings = (context.composite, *(section.ranking for section in context.sections))
    leading = {ranking.index_name: _leading(ranking, context) for ranking in rankings}
    return replace(
        context,
        withheld=Withheld(
            reason={"zh": _clause(rule.reason_zh), "en": _clause(rule.reason_en)},
            leading=leading,
        ),
        composite=_bare(context.composite),
        intervals={},
        quantitative={},
        qualitative={},
        composition=(),
        risers=(),
        fallers=(),
        year=(),
        profiles=(),
        sections=tuple(
            replace(section, ranking=_bare(section.ranking), figures=(), cases=(), hashtags=_names(section.hashtags))
            for section in context.sections
        ),
        flag_counts=tuple(counted for counted in context.flag_counts if counted.flag not in _ABOUT_CHANGE),
        rankings=_rows(context.rankings, leading),
        revision=None if context.revision is None else replace(context.revision, moved=(), withheld=True),
    )


def _clause(reason: str) -> str:
    """The reason as a part of a sentence, which brings its own full stop."""
    return clean(reason, length=REASON_LENGTH).rstrip("。.")


def _leading(ranking: Ranking, context: ReportContext) -> tuple[City, ...]:
    cities = {entry.city.city_id: entry.city for entry in ranking.top}
    order = drawn(cities, month=context.month, version=context.method_version, index_name=ranking.index_name)
    return tuple(cities[city_id] for city_id in order)


def _bare(ranking: Ranking) -> Ranking:
    """Every city by its id, with nothing that was measured."""
    entries = sorted(ranking.entries, key=lambda entry: entry.city.city_id)
    return Ranking(
        ranking.index_name,
        compared=False,
        entries=tuple(
            Entry(
                entry.city,
                rank=None,
                tied=False,
                score=None,
                previous_rank=None,
                change=NOTHING_SAID,
                flags=tuple(flag for flag in entry.flags if flag not in _ABOUT_CHANGE),
            )
            for entry in entries
        ),
    )


def _names(hashtags: tuple[Hashtag, ...]) -> tuple[Hashtag, ...]:
    """Those with the most interactions, by name alone."""
    return tuple(Hashtag(name, None, None, None) for name in sorted(tag.hashtag for tag in hashtags[:TOP]))


def _rows(rows: Iterable[Mapping[str, Any]], leading: Mapping[str, tuple[City, ...]]) -> tuple[Mapping[str, Any], ...]:
    """The rows of rankings.csv: of each index the leading cities as drawn, then the others by id.

    There is no column of ranks rather than an empty one, which would say of every city that it is not ranked.
    """
    given = list(rows)
    indices = list(dict.fromkeys(row["index_name"] for row in given))
    places = {(index, city.city_id): place for index, cities in leading.items() for place, city in enumerate(cities)}

    def order(row: Mapping[str, Any]) -> tuple[int, float, str]:
        return indices.index(row["index_name"]), places.get((row["index_name"], row["city_id"]), inf), row["city_id"]

    return tuple(
        {name: row[name] for name in _COLUMNS}
        | {
            "flags": [flag for flag in row["flags"] or () if flag not in _ABOUT_CHANGE],
            "leading": (row["index_name"], row["city_id"]) in places,
        }
        for row in sorted(given, key=order)
    )
