"""Captions, handles, hashtags and links come from strangers: made harmless here before anything prints them.

Escaping is the templates' business (autoescape). What is left are characters that act on the text around them, and
links that lead elsewhere than they say.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final
from urllib.parse import urlsplit

CAPTION_LENGTH: Final = 280

# The two joiners stay: emoji sequences, Persian, Kannada and others cannot be written without them. Every other format
# character is dropped: the bidirectional controls reorder the page around a caption, the rest are invisible.
_JOINERS: Final = frozenset("\u200c\u200d")
_MARKS_A_LETTER: Final = 4
_LINK: Final = re.compile(r"https://[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")  # RFC 3986: neither quotes nor brackets < >
_LAST_OF_A_PLANE: Final = 0xFFFE
_NONCHARACTERS: Final = range(0xFDD0, 0xFDF0)


def clean(text: str, *, length: int = CAPTION_LENGTH) -> str:
    """One line of visible text: no control, format or bidirectional characters, white space folded, the end cut off.

    A letter keeps at most four combining marks, so that a stack of hundreds does not cover the lines above. Unpaired
    surrogates and noncharacters become U+FFFD: UTF-8 has no place for the ones, HTML and XML none for the others. A
    letter and its accent become one where there is one.
    """
    kept: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        if category in {"Cc", "Zl", "Zp", "Zs"}:
            kept.append(" ")
            marks = 0
        elif category == "Cs" or _is_none(ord(character)):
            kept.append("\ufffd")
        elif category in {"Mn", "Me"}:
            marks += 1
            if marks <= _MARKS_A_LETTER:
                kept.append(character)
        elif category != "Cf" or character in _JOINERS:
            kept.append(character)
            marks = 0
    line = unicodedata.normalize("NFC", " ".join("".join(kept).split()))
    return line if len(line) <= length else _cut(line, length)


def _is_none(code: int) -> bool:
    return code & _LAST_OF_A_PLANE == _LAST_OF_A_PLANE or code in _NONCHARACTERS


def _cut(line: str, length: int) -> str:
    end = length - 1
    # A mark or a joined emoji belongs to the character before it: neither may lose it.
    while end and (unicodedata.combining(line[end]) or line[end] in _JOINERS or line[end - 1] in _JOINERS):
        end -= 1
    return line[:end].rstrip() + "…"


def link(address: str | None) -> str | None:
    """The address if it may be offered as a link, else null.

    Only https, only ASCII (an address with look-alike letters arrives encoded or not at all), no user name or
    password before the host, no port but the usual.
    """
    if address is None or not _LINK.fullmatch(address):
        return None
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return None
    plain = parts.hostname is not None and "@" not in parts.netloc and "\\" not in address and port in {None, 443}
    return address if plain else None


def host(address: str) -> str:
    """Where an address that passed `link` leads: its host, without `www.`."""
    return (urlsplit(address).hostname or "").removeprefix("www.")
