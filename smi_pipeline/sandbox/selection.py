"""Google's `fields` parameter: which members of an answer are wanted, as `items(id,snippet/title),nextPageToken`."""

from __future__ import annotations

import re
from typing import Any

Selection = dict[str, "Selection"]  # by member name, what is wanted of it; nothing = the whole of it

_NAME = re.compile(r"[\w*]+")


class SelectionError(Exception):
    """It is no selection."""


def parse(text: str) -> Selection:
    """Read a selection.

    Raises:
        SelectionError: a name is missing, or a bracket.
    """
    selection, end = _list(text, 0)
    if end != len(text):
        raise SelectionError(text)
    return selection


def selected(value: Any, wanted: Selection) -> Any:
    """A JSON value with the wanted members alone; of a list, of each of its elements."""
    if not wanted:
        return value
    if isinstance(value, list):
        return [selected(one, wanted) for one in value]
    if not isinstance(value, dict):
        return value
    everything = wanted.get("*")
    named = {name: wanted.get(name, everything) for name in value}
    return {name: selected(one, inner) for name, one in value.items() if (inner := named[name]) is not None}


def _list(text: str, place: int) -> tuple[Selection, int]:
    found: Selection = {}
    while True:
        name = _NAME.match(text, place)
        if name is None:
            raise SelectionError(text)
        inner, place = _inner(text, name.end())
        known = found.get(name.group())
        # Named twice, it is wanted whole where one of the two says so.
        found[name.group()] = inner if known is None else {**known, **inner} if known and inner else {}
        if text[place : place + 1] != ",":
            return found, place
        place += 1


def _inner(text: str, place: int) -> tuple[Selection, int]:
    match text[place : place + 1]:
        case "/":
            name = _NAME.match(text, place + 1)
            if name is None:
                raise SelectionError(text)
            inner, end = _inner(text, name.end())
            return {name.group(): inner}, end
        case "(":
            inner, end = _list(text, place + 1)
            if text[end : end + 1] != ")":
                raise SelectionError(text)
            return inner, end + 1
    return {}, place
