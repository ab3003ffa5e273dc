"""Cut the report's two fonts from Noto Sans SC: run once, by hand, when characters are missing.

    npm pack @expo-google-fonts/noto-sans-sc && tar xzf expo-google-fonts-noto-sans-sc-*.tgz
    python -m smi_pipeline.report.fonts.cut package

Kept are GB 2312, Latin with its accents, punctuation, the marks the report draws, and the characters of every city's
name. The family is renamed, so that a Noto that happens to be installed is never taken for it. The same input gives the
same bytes.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

FAMILY = "SMI Sans"
FILES = {400: "SMISans-Regular.ttf", 700: "SMISans-Bold.ttf"}
_SOURCES = {400: "400Regular/NotoSansSC_400Regular.ttf", 700: "700Bold/NotoSansSC_700Bold.ttf"}
_STYLES = {400: "Regular", 700: "Bold"}
_HERE = Path(__file__).parent
_MARKS = "▲▼△▽■□●○◆◇→←↑↓‐‑‒–—―‘’‚“”„†‡…‥‧·•‵‹›‼‰′″※−÷×±≤≥≈≠∞√℃€£¥©®™№Ⅰ Ⅱ Ⅲ "


def characters() -> set[str]:
    """What the fonts must be able to draw."""
    wanted = set(_MARKS)
    for high in range(0xA1, 0xF8):
        for low in range(0xA1, 0xFF):
            wanted |= set(bytes((high, low)).decode("gb2312", errors="ignore"))
    wanted |= {chr(code) for code in (*range(0x20, 0x7F), *range(0xA0, 0x180), *range(0x3000, 0x3020))}
    wanted |= {chr(code) for code in (*range(0xFF01, 0xFF5F), 0xFFE5)}
    cities = _HERE.parents[1] / "sandbox" / "scenario" / "registry" / "cities.csv"
    return wanted | set(cities.read_text(encoding="utf-8"))


def cut(package: Path) -> None:
    """Write both weights and the licence, from the unpacked npm package."""
    for weight, source in _SOURCES.items():
        font = TTFont(package / source, recalcTimestamp=False)
        options = Options(
            hinting=False, layout_features=["kern", "mark", "locl", "tnum", "ccmp"],
            name_IDs=[0, 1, 2, 3, 4, 5, 6, 13, 14], notdef_outline=True, glyph_names=False,
            drop_tables=["DSIG", "GDEF", "BASE", "vhea", "vmtx", "VORG"],
        )  # fmt: skip
        subsetter = Subsetter(options)
        subsetter.populate(text="".join(sorted(characters())))
        subsetter.subset(font)
        _rename(font, _STYLES[weight])
        font.save(_HERE / FILES[weight], reorderTables=True)
    shutil.copyfile(package / "LICENSE_FONT", _HERE / "OFL.txt")


def _rename(font: TTFont, style: str) -> None:
    whole = f"{FAMILY} {style}"
    names = {1: FAMILY, 2: style, 3: f"{whole}; cut from Noto Sans SC", 4: whole, 6: f"SMISans-{style}"}
    for record in list(font["name"].names):
        if record.nameID in names:
            record.string = names[record.nameID]
        elif record.nameID in {16, 17, 21, 22}:
            font["name"].removeNames(nameID=record.nameID)


if __name__ == "__main__":
    cut(Path(sys.argv[1]))
