"""The query language of X's search and counts, as far as a data set can answer it.

`from:`, words, "phrases" and #tags, `is:retweet`, `has:` media, images, videos, links or hashtags; a space means and,
`OR` binds weaker, `-` negates, brackets group. Words and tags find no retweets, as since 4 May 2026.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from smi_pipeline.sandbox.kinds import WORDS
from smi_pipeline.sandbox.world import Item

LONGEST = 4_096
Test = Callable[[Item, str], bool]  # of a post and the text it has at the time of asking

_TOKEN = re.compile(r'\s*(?:(-?)("[^"]*"|[^\s()"]+|\()|(\)))')
_HAS: dict[str, Test] = {
    "media": lambda item, _: bool(WORDS[item.kind].x_media_types),
    "images": lambda item, _: "photo" in WORDS[item.kind].x_media_types,
    "videos": lambda item, _: "video" in WORDS[item.kind].x_media_types,
    "links": lambda _, text: re.search(r"https?://", text) is not None,
    "hashtags": lambda _, text: re.search(r"#\w", text) is not None,
}


class QueryError(Exception):
    """It is no query: what is wrong with it, in a sentence."""


def parse(query: str) -> Test:
    """What a query finds.

    Raises:
        QueryError: it is empty, too long, malformed, or has an operator that is not answered here.
    """
    if not query.strip() or len(query) > LONGEST:
        raise QueryError(f"query must be 1 to {LONGEST} characters long")
    parser = _Parser(query)
    test = parser.either()
    if parser.token is not None:
        raise QueryError("unmatched ')'")
    if not parser.stands_alone:
        raise QueryError("the operators of the query cannot stand alone: add a from:, a word or a hashtag")
    return test


class _Parser:
    """Reads from left to right; `token` is the next one: whether it is negated, and its text."""

    def __init__(self, query: str) -> None:
        self._query, self._place = query.strip(), 0
        self.stands_alone = False
        self.token: tuple[bool, str] | None = None
        self._next()

    def either(self) -> Test:
        """Parts joined by OR."""
        tests = [self._all()]
        while self.token == (False, "OR"):
            self._next()
            tests.append(self._all())
        return tests[0] if len(tests) == 1 else lambda item, text: any(test(item, text) for test in tests)

    def _all(self) -> Test:
        tests = []
        while self.token is not None and self.token[1] not in ("OR", ")"):
            tests.append(self._one(*self.token))
        if not tests:
            raise QueryError("an operand is missing")
        return tests[0] if len(tests) == 1 else lambda item, text: all(test(item, text) for test in tests)

    def _one(self, negated: bool, word: str) -> Test:
        self._next()
        if word == "(":
            test = self.either()
            if self.token != (False, ")"):
                raise QueryError("missing ')'")
            self._next()
        else:
            test = self._term(word, negated=negated)
        return (lambda item, text: not test(item, text)) if negated else test

    def _term(self, word: str, *, negated: bool) -> Test:
        operator, colon, value = word.partition(":")
        if colon and not word.startswith(('"', "#")):
            if word == "is:retweet":
                return lambda item, _: item.kind == "repost"
            if operator == "has" and value in _HAS:
                return _HAS[value]
            if operator == "from" and re.fullmatch(r"@?\w{1,15}", value, re.ASCII):
                self.stands_alone |= not negated
                name = value.removeprefix("@").lower()
                return lambda item, _: name in (item.owner.handle.lower(), item.owner.id)
            raise QueryError(f"reference to invalid operator '{word}'")
        self.stands_alone |= not negated
        literal = re.escape(word.strip('"'))
        wanted = re.compile(rf"(?<!\w){literal}(?!\w)" if word.isascii() else literal, re.IGNORECASE)
        return lambda item, text: item.kind != "repost" and wanted.search(text) is not None

    def _next(self) -> None:
        match = _TOKEN.match(self._query, self._place)
        if match is None:
            if self._query[self._place :].strip():
                raise QueryError("a quotation mark is not closed")
            self.token = None
            return
        self._place = match.end()
        minus, word, closing = match.groups()
        self.token = (False, ")") if closing else (minus == "-", word)
