"""What an edition says otherwise than the edition of the same month before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any, Final

import polars as pl

from smi_pipeline.report.content import Moved, Revision
from smi_pipeline.report.inputs import Against
from smi_pipeline.report.rankings import INDEX_NAMES, city_of
from smi_pipeline.report.untrusted import clean

REASON_LENGTH: Final = 500
# Sums in another order differ by less; no printed or ranked score does.
_SAME: Final = 1e-9

Row = Mapping[str, Any]


def revision(against: Against, rankings: pl.DataFrame) -> Revision:
    """The edition against the one before it.

    Args:
        against: the edition before.
        rankings: marts.rankings of this edition.

    Returns:
        Every city of either edition whose rank or score differs, by index: the farthest moves first, those that gained
        or lost a rank before all. Without named causes the software is: nothing else can have changed a figure.
    """
    moved = () if against.withheld else _moved(against.rankings, rankings)
    causes = {kind: tuple(what) for kind, what in against.causes.items()}
    reason = None if against.reason is None else clean(against.reason, length=REASON_LENGTH)
    return Revision(
        number=against.number,
        draft=against.draft,
        reason=reason,
        causes=causes or {"code": ()},
        moved=moved,
        withheld=against.withheld,
    )


def _moved(before: pl.DataFrame, now: pl.DataFrame) -> tuple[Moved, ...]:
    earlier, later = _by_city(before), _by_city(now)
    found = []
    for key in {*earlier, *later}:
        was, row = earlier.get(key), later.get(key)
        change = Moved(
            index_name=key[0],
            city=city_of(row or was or {}),
            rank_before=was["rank"] if was else None,
            rank=row["rank"] if row else None,
            score_before=was["score"] if was else None,
            score=row["score"] if row else None,
        )
        if change.rank_before != change.rank or _differ(change.score_before, change.score):
            found.append(change)
    return tuple(sorted(found, key=_order))


def _by_city(rankings: pl.DataFrame) -> dict[tuple[str, str], Row]:
    return {(row["index_name"], row["city_id"]): row for row in rankings.iter_rows(named=True)}


def _differ(before: float | None, now: float | None) -> bool:
    if before is None or now is None:
        return before is not now
    return abs(before - now) > _SAME


def _order(moved: Moved) -> tuple[int, float, float, str]:
    places: Sequence[int | None] = (moved.rank_before, moved.rank)
    ranks = [rank for rank in places if rank is not None]
    distance = 0.0 if not ranks else inf if len(ranks) == 1 else float(abs(ranks[0] - ranks[1]))
    return INDEX_NAMES.index(moved.index_name), -distance, min(ranks, default=inf), moved.city.city_id
