"""An edition in a few lines of plain text, for a chat: who leads, who moved most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from smi_pipeline.report.content import Change, City, Entry, Mover, Names, ReportContext
from smi_pipeline.report.formats import Language
from smi_pipeline.report.rankings import COMPOSITE

MOVES = 3


def announcement(context: ReportContext) -> str:
    """The leading ten with score and change, and the largest moves.

    An edition that withholds its ranks gives the same cities in its random order, why so, and no figure.
    """
    warning = ["made-up data, not a result"] if context.synthetic else []
    if context.withheld is not None:
        cities = ", ".join(_name(city, context.names) for city in context.withheld.leading[COMPOSITE])
        return "\n".join([*warning, f"leading, in random order: {cities}", context.withheld.reason["en"]])
    top = [_line(entry, context.names) for entry in context.composite.top]
    moves = [
        f"{word}: {_moves(movers[:MOVES], context.names)}"
        for word, movers in (("up", context.risers), ("down", context.fallers))
        if movers
    ]
    return "\n".join([*warning, *top, *moves])


def _line(entry: Entry, names: Mapping[Language, Names]) -> str:
    score = "" if entry.score is None else f" {entry.score:.2f}"
    return f"{entry.rank}. {_name(entry.city, names)}{score}{_change(entry.change)}"


def _change(change: Change) -> str:
    if change.kind == "new":
        return " (new)"
    if change.places is None:
        return ""
    return " (=)" if change.places == 0 else f" ({'▲' if change.places > 0 else '▼'}{abs(change.places)})"


def _moves(movers: Sequence[Mover], names: Mapping[Language, Names]) -> str:
    return ", ".join(f"{_name(one.city, names)} {one.previous_rank} → {one.rank}" for one in movers)


def _name(city: City, names: Mapping[Language, Names]) -> str:
    if city.name_zh == city.name_en:
        return names["en"](city)
    return f"{city.name_zh} {names['en'].beside(city)}"
