"""The packaged font: it has what the report says, draws it, and is cut the same way every time."""

import base64
import hashlib
import io
import re
import subprocess
import sys

import pytest
from fontTools.ttLib import TTFont

from smi_pipeline.report import typeface
from smi_pipeline.report.fonts.cut import FILES, characters
from smi_pipeline.report.formats import MINUS, NOTHING
from smi_pipeline.report.wording import catalogue

TEXT = "<svg xmlns='http://www.w3.org/2000/svg' width='60' height='30'><text x='2' y='22' font-family='{}' font-size='20'>{}</text></svg>"


@pytest.mark.parametrize("file", FILES.values())
def test_the_font_is_of_the_kind_that_draws(file):
    """A CFF2 variable font makes the renderer draw no text at all, without an error."""
    font = TTFont(typeface.FOLDER / file)
    assert "glyf" in font
    assert "fvar" not in font
    assert "CFF2" not in font
    assert (typeface.FOLDER / file).stat().st_size < 3_000_000


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_character_of_the_reports_own_words_can_be_drawn(language):
    words = "".join(catalogue(language).texts.values())
    assert typeface.missing(words + MINUS + NOTHING + "▲▼＝□–·…◇△▽") == ()


def test_every_city_of_the_scenario_can_be_written():
    cities = (typeface.FOLDER.parents[1] / "sandbox" / "scenario" / "registry" / "cities.csv").read_text(
        encoding="utf-8"
    )
    assert typeface.missing(cities) == ()


def test_what_the_font_lacks_is_told_in_order_and_invisible_characters_are_not():
    assert typeface.missing("京😀a\u200dไ\n ") == ("ไ", "😀")


def test_what_cannot_be_drawn_is_one_box_a_character_without_stray_marks():
    """An emoji with its variation selector, and a Thai letter with a vowel above it."""
    assert typeface.drawable("京\u2764\ufe0f กี") == "京□ □"


def test_text_leaves_ink_and_bold_leaves_more():
    empty, drawn = (typeface.png(TEXT.format("SMI Sans", text)) for text in ("", "京"))
    bold = typeface.png(TEXT.format("SMI Sans", "京").replace("<text", "<text font-weight='700'"))
    assert len({empty, drawn, bold}) == 3


def test_a_page_gets_only_the_glyphs_it_uses():
    css = typeface.page_css("南京 Nanjing 南")
    [regular, bold] = re.findall(r"base64,([A-Za-z0-9+/=]+)", css)
    font = TTFont(io.BytesIO(base64.b64decode(regular)))
    assert {chr(code) for code in font.getBestCmap()} == set("南京Naijng ")
    assert regular != bold
    assert css == typeface.page_css("Nanjing京南 ")


def test_the_same_glyphs_are_the_same_bytes_in_another_process():
    program = (
        "from smi_pipeline.report import typeface; import hashlib;"
        "print(hashlib.sha256(typeface.page_css('南京 Nanjing').encode()).hexdigest())"
    )
    there = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONHASHSEED": "7", "TZ": "Pacific/Apia"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert there.stdout.strip() == hashlib.sha256(typeface.page_css("南京 Nanjing").encode()).hexdigest()


def test_a_line_is_as_wide_as_its_glyphs():
    """A Han character is a full square; what the font lacks counts as one."""
    assert typeface.width("南京", 50) == pytest.approx(100)
    assert typeface.width("😀", 10) == pytest.approx(10)
    assert typeface.width("l", 50) < typeface.width("m", 50) < typeface.width("m", 50, weight=700)


def test_gb_2312_is_whole():
    assert len({c for c in characters() if "\u4e00" <= c <= "\u9fff"}) >= 6763
    assert typeface.missing(c for c in characters() if "\u4e00" <= c <= "\u9fff") == ()
