"""An edition in a few lines of plain text, for a chat: who leads, who moved most."""

from __future__ import annotations

from collections.abc import Sequence

from smi_pipeline.report.content import TOP, Change, City, Entry, Mover, ReportContext
from smi_pipeline.report.rankings import COMPOSITE

MOVES = 3


def announcement(context: ReportContext) -> str:
    """The leading ten with score and change, and the largest moves.

    An edition that withholds its ranks gives the same cities in its random order, why so, and no figure.
    """
    warning = ["made-up data, not a result"] if context.synthetic else []
    if context.withheld is not None:
        cities = ", ".join(_name(city) for city in context.withheld.leading[COMPOSITE])
        return "\n".join([*warning, f"leading, in random order: {cities}", context.withheld.reason["en"]])
    top = [_line(entry) for entry in context.composite.entries if entry.rank is not None and entry.rank <= TOP]
    moves = [
        f"{word}: {_moves(movers[:MOVES])}"
        for word, movers in (("up", context.risers), ("down", context.fallers))
        if movers
    ]
    return "\n".join([*warning, *top, *moves])


def _line(entry: Entry) -> str:
    score = "" if entry.score is None else f" {entry.score:.2f}"
    return f"{entry.rank}. {_name(entry.city)}{score}{_change(entry.change)}"


def _change(change: Change) -> str:
    if change.kind == "new":
        return " (new)"
    if change.places is None:
        return ""
    return " (=)" if change.places == 0 else f" ({'▲' if change.places > 0 else '▼'}{abs(change.places)})"


def _moves(movers: Sequence[Mover]) -> str:
    return ", ".join(f"{_name(one.city)} {one.previous_rank} → {one.rank}" for one in movers)


def _name(city: City) -> str:
    return city.name_en if city.name_zh == city.name_en else f"{city.name_zh} {city.name_en}"
