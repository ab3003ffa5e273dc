"""What editors write into an edition: a byline, and paragraphs beside those computed or in their place.

A file is a head of `key: value` lines, an empty line, and sections. `# composite` replaces the paragraph computed
there, `# composite +` stands below it:

    byline: Data desk
    reviewed_by: A. Editor

    # facebook +
    Four posts of the *Cultural Week* drew more than **10,000 likes** each ([programme](https://example.org/week)).

Of markdown only paragraphs, lists, emphasis and links are known; anything else, HTML included, is printed as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import Final, Literal, get_args

from markdown_it import MarkdownIt
from markdown_it.token import Token

from smi_pipeline.registry.load import RegistryError
from smi_pipeline.registry.models import PLATFORMS
from smi_pipeline.report.formats import Language
from smi_pipeline.report.untrusted import clean, link

Way = Literal["replace", "add"]
FINDING: Final = "finding"
# Computed sentences on method and gaps cannot be edited away.
PLACES: Final[Mapping[str, tuple[Way, ...]]] = {
    FINDING: ("replace",),
    **dict.fromkeys(("composite", *PLATFORMS), get_args(Way)),
    "method": ("add",),
    "gaps": ("add",),
}
KEYS: Final = ("byline", "reviewed_by")
NAME_LENGTH: Final = 100
TEXT_LENGTH: Final = 5_000
_HEAD: Final = re.compile(r"#\s+(?P<place>\S+)(?P<add>\s+\+)?\s*")
_KEY: Final = re.compile(r"(?P<key>\w+)\s*:\s*(?P<value>.*)")
_HEADING: Final = re.compile(r"#+\s")
_PARSER: Final = MarkdownIt("zero").enable(["emphasis", "link", "list", "escape", "newline"])
_PARSER.validateLink = lambda url: True  # type: ignore[method-assign]  # noqa: ARG005  # `untrusted.link` decides, and says so


@dataclass(frozen=True)
class Span:
    """A run of text in one style; `link` is a plain https address or null."""

    text: str
    strong: bool = False
    emphasis: bool = False
    link: str | None = None


@dataclass(frozen=True)
class Block:
    """A paragraph, or an item of a list."""

    spans: tuple[Span, ...]
    listed: bool


@dataclass(frozen=True)
class Section:
    """What stands at one place: instead of what is computed there, or below it."""

    place: str
    way: Way
    blocks: tuple[Block, ...]

    @property
    def text(self) -> str:
        """The words alone."""
        return " ".join("".join(span.text for span in block.spans) for block in self.blocks)

    @property
    def runs(self) -> list[tuple[bool, list[Block]]]:
        """Its blocks in turn, those of a list together: whether they are listed, and they."""
        return [(listed, list(blocks)) for listed, blocks in groupby(self.blocks, key=lambda block: block.listed)]


@dataclass(frozen=True)
class Editorial:
    """One language's file: who wrote it, who read it before it was printed, and what."""

    byline: str
    reviewed_by: str
    sections: tuple[Section, ...]

    def at(self, place: str) -> Section | None:
        """What stands at a place, if anything."""
        return next((section for section in self.sections if section.place == place), None)


def parse_editorial(text: str, where: str, language: Language) -> Editorial | None:
    """Read an editors' file. One without a word is none: so a text is withdrawn.

    Args:
        text: the file.
        where: its name, for messages.
        language: of its words; Chinese lines are joined without a space.

    Raises:
        RegistryError: every mistake, with its line: a key or a place that is not known, twice, or without a text, a
            head without byline or reviewer, a link that is no plain https address, a text that is too long.
    """
    if not text.strip():
        return None
    lines = text.splitlines()
    end = next((n for n, line in enumerate(lines) if not line.strip() or _HEADING.match(line)), len(lines))
    problems: list[str] = []
    head = dict(_keys(lines[:end], problems))
    problems += [f"line 1: expected a line `{key}: NAME`" for key in KEYS if not head.get(key)]
    sections: list[Section] = []
    for number, title, body in _parts(lines, end, problems):
        found = _section(number, title, body, language, problems)
        if found is not None and any(found.place == other.place for other in sections):
            problems.append(f"line {number}: {found.place} stands there twice")
        elif found is not None:
            sections.append(found)
    if problems:
        raise RegistryError([f"{where}: {problem}" for problem in problems])
    return Editorial(head["byline"], head["reviewed_by"], tuple(sections))


def _keys(lines: Sequence[str], problems: list[str]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines, 1):
        found = _KEY.fullmatch(line.strip())
        if found is None or found["key"] not in KEYS:
            problems.append(f"line {number}: expected one of {', '.join(KEYS)} and a colon, got {line[:40]!r}")
        else:
            yield found["key"], clean(found["value"], length=NAME_LENGTH)


def _parts(lines: Sequence[str], begin: int, problems: list[str]) -> Iterator[tuple[int, str, list[str]]]:
    """The number of each section's heading, the heading, and the lines under it."""
    heads = [number for number in range(begin, len(lines)) if _HEADING.match(lines[number])]
    before = [number for number in range(begin, heads[0] if heads else len(lines)) if lines[number].strip()]
    if before:
        problems.append(f"line {before[0] + 1}: expected a heading `# PLACE` before the text")
    for number, following in pairwise([*heads, len(lines)]):
        yield number + 1, lines[number], list(lines[number + 1 : following])


def _section(number: int, title: str, body: Sequence[str], language: Language, problems: list[str]) -> Section | None:
    found = _HEAD.fullmatch(title)
    if found is None or found["place"] not in PLACES:
        problems.append(f"line {number}: expected `# PLACE` with one of {', '.join(PLACES)}, got {title[:40]!r}")
        return None
    place, way = found["place"], _way(found["add"])
    if way not in PLACES[place]:
        can = "replaced" if way == "add" else f"added to: `# {place} +`"
        problems.append(f"line {number}: {place} can only be {can}")
    blocks = tuple(_blocks(_PARSER.parse("\n".join(body)), language, number, problems))
    section = Section(place, way, blocks)
    if not section.text.strip():
        problems.append(f"line {number}: {place} has no text")
    if len(section.text) > TEXT_LENGTH:
        problems.append(f"line {number}: {place} has {len(section.text)} characters, at most {TEXT_LENGTH} are printed")
    if place == FINDING and (len(blocks) > 1 or any(block.listed for block in blocks)):
        problems.append(f"line {number}: {place} is one sentence, not several paragraphs")
    return section


def _way(added: str | None) -> Way:
    return "add" if added else "replace"


def _blocks(tokens: Sequence[Token], language: Language, number: int, problems: list[str]) -> Iterator[Block]:
    depth = 0
    for token in tokens:
        depth += {"list_item_open": 1, "list_item_close": -1}.get(token.type, 0)
        if token.type == "inline":
            line = number + 1 + (token.map[0] if token.map else 0)
            yield Block(tuple(_spans(token.children or [], language, line, problems)), listed=depth > 0)


def _spans(tokens: Sequence[Token], language: Language, line: int, problems: list[str]) -> Iterator[Span]:
    style = Span("")
    for token in tokens:
        match token.type:
            case "strong_open" | "strong_close":
                style = replace(style, strong=token.nesting == 1)
            case "em_open" | "em_close":
                style = replace(style, emphasis=token.nesting == 1)
            case "link_open":
                address = str(token.attrs.get("href", ""))
                if link(address) is None:
                    problems.append(f"line {line}: expected a plain https address as a link, got {address[:60]!r}")
                style = replace(style, link=link(address))
            case "link_close":
                style = replace(style, link=None)
            case "softbreak" | "hardbreak":
                yield replace(style, text="" if language == "zh" else " ")
            case _:
                yield replace(style, text=_cleaned(token.content))


def _cleaned(text: str) -> str:
    """The text made harmless; spaces at its ends, which divide words from those in another style, stay as one."""
    kept = clean(text, length=TEXT_LENGTH + 1)
    before, after = " " if text[:1].isspace() else "", " " if text[-1:].isspace() else ""
    return f"{before}{kept}{after}" if kept else before
