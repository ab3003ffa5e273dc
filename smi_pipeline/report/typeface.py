"""The report's own font: cut to a page's characters for the page, whole for pictures. No font of the host is ever used.

Characters it does not have (emoji, Thai, rare Han in post texts) are told, so that they can be marked where they stand.
"""

from __future__ import annotations

import base64
import hashlib
import io
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import vl_convert
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

from smi_pipeline.report.fonts.cut import FAMILY, FILES

FOLDER: Final = Path(__file__).parent / "fonts"
UNDRAWN: Final = "□"
_ELLIPSIS: Final = "…"
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
_PROBE: Final = "<svg xmlns='http://www.w3.org/2000/svg' width='40' height='20'>{}</svg>"


class FontError(Exception):
    """The packaged font cannot be used: a picture would come out without its text."""


def page_css(characters: Iterable[str]) -> str:
    """@font-face rules for both weights with the glyphs of these characters in them, as WOFF2.

    Equal sets of characters give equal text; what the font lacks is left out.
    """
    text = "".join(sorted(set(characters)))
    return "".join(_face(weight, _subset(weight, text)) for weight in FILES)


def pages_css(pages: Sequence[Iterable[str]]) -> list[str]:
    """@font-face rules for many pages that are much alike, one text a page.

    What most of them show is cut once; the rest of each comes as a second face, cut from a font of all that any shows.
    A browser looks for a character in the second, then in the first.
    """
    shown = [frozenset(page) for page in pages]
    times = Counter(character for page in shown for character in page)
    common = {character for character, pages_with in times.items() if 2 * pages_with > len(shown)}
    first = page_css(common)
    known = {chr(code) for code in _glyphs(400)}
    rest = {character for character in times if character not in common and character in known}
    if not rest:
        return [first for _ in shown]
    font = {weight: _cut(_packaged(weight), "".join(sorted(rest)), None) for weight in FILES}
    return [first + _faces(font, page & rest) if page & rest else first for page in shown]


def _faces(font: Mapping[int, bytes], characters: Iterable[str]) -> str:
    text = "".join(sorted(characters))
    return "".join(
        _face(weight, base64.b64encode(_cut(TTFont(io.BytesIO(whole), recalcTimestamp=False), text, "woff2")).decode())
        for weight, whole in font.items()
    )


def missing(characters: Iterable[str]) -> tuple[str, ...]:
    """The visible characters among these that the font does not have, in order of their code points."""
    known = _glyphs(400)
    return tuple(
        sorted(c for c in set(characters) if ord(c) not in known and unicodedata.category(c) not in _INVISIBLE)
    )


def drawable(text: str) -> str:
    """The text as the font can draw it: a box for what it lacks; a combining mark it lacks is dropped."""
    lost = missing(text)
    if not lost:
        return text
    boxed = {ord(c): "" if unicodedata.category(c) == "Mn" else UNDRAWN for c in lost}
    return text.translate(boxed)


def width(text: str, size: float, *, weight: int = 400) -> float:
    """How far a line of text reaches at a size, both in pixels; a character without a glyph counts as a full square."""
    glyphs, advances, unit = _glyphs(weight), _advances(weight), _unit(weight)
    return sum(advances[glyphs[ord(c)]] / unit if ord(c) in glyphs else 1.0 for c in text) * size


def fitted(text: str, size: float, room: float, *, weight: int = 400) -> str:
    """The text as the font can draw it, cut with an ellipsis where it would run out of its place."""
    line = drawable(text)
    if width(line, size, weight=weight) <= room:
        return line
    while line and width(line + _ELLIPSIS, size, weight=weight) > room:
        line = line[:-1]
    return line.rstrip() + _ELLIPSIS


def sha256() -> str:
    """Checksum over the packaged font files."""
    return hashlib.sha256(b"".join((FOLDER / name).read_bytes() for name in FILES.values())).hexdigest()


def png(svg: str, *, scale: float = 1) -> bytes:
    """An SVG as a picture, drawn with the packaged font alone.

    Raises:
        FontError: the font draws nothing (a wrong kind of font is passed over without a word).
    """
    _ready()
    return bytes(vl_convert.svg_to_png(svg, scale=scale, ppi=72))


@cache
def _ready() -> None:
    vl_convert.register_font_directory(str(FOLDER))
    text = f"<text x='2' y='16' font-family='{FAMILY}' font-size='16'>京</text>"
    drawn, empty = (vl_convert.svg_to_png(_PROBE.format(content)) for content in (text, ""))
    if drawn == empty:
        raise FontError(f"{FOLDER}: expected fonts that draw text, but none came out; install the package again")


def _face(weight: int, encoded: str) -> str:
    return (
        f'@font-face{{font-family:"{FAMILY}";font-style:normal;font-weight:{weight};font-display:block;'
        f'src:url(data:font/woff2;base64,{encoded}) format("woff2")}}'
    )


@cache
def _subset(weight: int, text: str) -> str:
    return base64.b64encode(_cut(_packaged(weight), text, "woff2")).decode()


def _packaged(weight: int) -> TTFont:
    return TTFont(FOLDER / FILES[weight], recalcTimestamp=False)


def _cut(font: TTFont, text: str, flavour: str | None) -> bytes:
    """The font with the glyphs of the text alone; without a flavour it is one that can be cut again."""
    subsetter = Subsetter(Options(hinting=False, layout_features=["kern", "tnum", "locl", "ccmp"], flavor=flavour))
    subsetter.populate(text=text)
    subsetter.subset(font)
    font.flavor = flavour
    out = io.BytesIO()
    font.save(out)
    return out.getvalue()


@cache
def _font(weight: int) -> TTFont:
    return TTFont(FOLDER / FILES[weight], lazy=True)


@cache
def _glyphs(weight: int) -> dict[int, str]:
    table: dict[int, str] = _font(weight).getBestCmap()
    return table


@cache
def _advances(weight: int) -> dict[str, int]:
    return {name: advance for name, (advance, _) in _font(weight)["hmtx"].metrics.items()}


@cache
def _unit(weight: int) -> int:
    return int(_font(weight)["head"].unitsPerEm)
