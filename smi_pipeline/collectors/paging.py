"""Guards against listings that never end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from smi_pipeline.collectors.verdict import Refusal

MAX_PAGES = 2_000
MAX_EMPTY = 5
LONGEST_CURSOR = 4_096  # characters; it becomes part of an address, which is cut or refused beyond some 8,000


def cursor_text(value: Any, what: str) -> str:
    """The cursor of the next page, empty where the platform names none (null or an empty text).

    Raises:
        Refusal: drift, it is no text that an address can hold. There is a next page and no way to it.
    """
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or len(value) > LONGEST_CURSOR or not (value.isascii() and value.isprintable()):
        shown = f"{len(value):,} characters" if isinstance(value, str) else type(value).__name__
        expected = f"a text of at most {LONGEST_CURSOR:,} printable ASCII characters"
        raise Refusal("failed", f"drift in {what}: the next page's cursor: expected {expected}, found {shown}")
    return value


def fewest(told: Iterable[tuple[Any, int]]) -> int | None:
    """The least of the counts that pages of one listing gave of it, null where none gave one.

    A post that is made or deleted while the listing is read changes the count and not what was to be listed.

    Args:
        told: of each page the count, and how many records had been listed with it: a count below that is none.
    """
    return min((count for count, listed in told if type(count) is int and count >= listed), default=None)


class Pages:
    """Watches one listing. A cursor that comes again is only a loop when its page brought nothing new.

    Graph answers have been seen whose cursors repeat although there is a next page, and empty pages that have a next
    one; neither alone is an end or a fault.
    """

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """The listing is read from its first page."""
        self._cursors: set[str] = set()
        self._ids: set[str] = set()
        self._pages = 0
        self._empty = 0
        self._fresh = False

    @property
    def seen(self) -> int:
        """How many different records the listing has shown so far."""
        return len(self._ids)

    def page(self, ids: Iterable[object]) -> None:
        """Called for each page, with the ids on it."""
        found = {str(one) for one in ids}  # an id that is none may be anything, also what no set can hold
        self._fresh = not found <= self._ids
        self._ids |= found
        self._pages += 1
        self._empty = 0 if found else self._empty + 1

    def turn(self, cursor: str) -> None:
        """Called after each page that names a next one, with its cursor.

        Raises:
            Refusal: the listing goes round, stays empty or does not end.
        """
        if cursor in self._cursors and not self._fresh:
            raise Refusal("failed", f"pagination loop: page {self._pages} leads to a cursor seen before, no new posts")
        if self._empty > MAX_EMPTY:
            raise Refusal("failed", f"pagination loop: {self._empty} empty pages in a row, each with a next one")
        if self._pages >= MAX_PAGES:
            raise Refusal("failed", f"pagination loop: no end after {MAX_PAGES} pages")
        self._cursors.add(cursor)
