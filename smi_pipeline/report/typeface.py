"""The report's own font: cut to a page's characters for the page, whole for pictures. No font of the host is ever used.

Characters it does not have (emoji, Thai, rare Han in post texts) are told, so that they can be marked where they stand.
"""

from __future__ import annotations

import base64
import hashlib
import io
import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

import uharfbuzz as hb
import vl_convert
from fontTools.ttLib import TTFont

from smi_pipeline.report.fonts.cut import FAMILY, FILES

FOLDER: Final = Path(__file__).parent / "fonts"
UNDRAWN: Final = "□"
_ELLIPSIS: Final = "…"
_FEATURES: Final = ("kern", "tnum", "locl", "ccmp")
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
_PROBE: Final = "<svg xmlns='http://www.w3.org/2000/svg' width='40' height='20'>{}</svg>"


class FontError(Exception):
    """The packaged font cannot be used: a picture would come out without its text."""


def page_css(characters: Iterable[str]) -> str:
    """@font-face rules for both weights with the glyphs of these characters in them, as WOFF.

    Equal sets of characters give equal text; what the font lacks is left out.
    """
    text = "".join(sorted(set(characters)))
    return "".join(_face(weight, _subset(weight, text)) for weight in FILES)


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
        f'src:url(data:font/woff;base64,{encoded}) format("woff")}}'
    )


@cache
def _subset(weight: int, text: str) -> str:
    wanted = hb.SubsetInput()
    wanted.flags = hb.SubsetFlags.NO_HINTING
    wanted.sets(hb.SubsetInputSets.UNICODE).update(map(ord, text))
    features = wanted.sets(hb.SubsetInputSets.LAYOUT_FEATURE_TAG)
    features.clear()
    features.update(int.from_bytes(tag.encode(), "big") for tag in _FEATURES)
    cut = hb.subset(_face_of(weight), wanted).blob.data
    font = TTFont(io.BytesIO(cut), recalcTimestamp=False)
    font.flavor = "woff"
    out = io.BytesIO()
    font.save(out)
    return base64.b64encode(out.getvalue()).decode()


@cache
def _face_of(weight: int) -> hb.Face:
    return hb.Face(hb.Blob.from_file_path(FOLDER / FILES[weight]))


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
