"""The report's colours, once: the style sheet is written from them and their contrast is computed from them."""

from __future__ import annotations

from typing import Final

LIGHT: Final = {
    "paper": "#fbf9f5",
    "ink": "#1b1e28",
    "muted": "#5f6470",
    "rule": "#d9d6cf",
    "grid": "#e9e6df",
    "accent": "#b5122b",
    "on_accent": "#fbf9f5",
    "bar": "#b9c3cf",
    "navy": "#1f4e79",
    "ochre": "#d9982b",
    "on_ochre": "#1b1e28",
    "up": "#15734a",
    "down": "#b03a2e",
}
DARK: Final = {
    "paper": "#14161c",
    "ink": "#eceae4",
    "muted": "#a3a8b4",
    "rule": "#3a3f4a",
    "grid": "#262a33",
    "accent": "#ff6b7a",
    "on_accent": "#14161c",
    "bar": "#4c5867",
    "navy": "#6ea8dc",
    "ochre": "#e9b44c",
    "on_ochre": "#14161c",
    "up": "#4cc38a",
    "down": "#ff8a7a",
}

# (text or mark, what it stands on, least contrast): 4.5 for text, 3 for large text and for marks (WCAG 2.2, 1.4.3 and
# 1.4.11). The bars themselves are not listed: each has its number beside it or on it.
PAIRS: Final = (
    ("ink", "paper", 4.5),
    ("muted", "paper", 4.5),
    ("accent", "paper", 4.5),
    ("up", "paper", 4.5),
    ("down", "paper", 4.5),
    ("ink", "grid", 4.5),
    ("muted", "grid", 4.5),
    ("on_accent", "accent", 4.5),
    ("on_ochre", "ochre", 4.5),
    ("on_accent", "navy", 4.5),
    ("navy", "paper", 4.5),
    ("ink", "bar", 4.5),
)
