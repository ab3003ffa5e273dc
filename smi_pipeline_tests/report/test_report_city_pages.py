"""A page a city: complete, its sums add up as printed, nothing of anybody else's, nothing without ranks."""

import base64
import html
import io
import re
from decimal import Decimal

import polars as pl
import pytest
from fontTools.ttLib import TTFont
from hostile_edition import everywhere

from smi_pipeline.months import Month
from smi_pipeline.registry.inputs import EditionRule
from smi_pipeline.report.city_pages import city_pages
from smi_pipeline.report.context import report


@pytest.fixture
def pages(light_font):
    return city_pages


def cells(text, section):
    """Rows of the section's first table, as printed."""
    part = text[text.index(f'<section id="{section}"') :]
    part = part[part.index("<tbody>") : part.index("</tbody>")]
    rows = re.findall(r"<tr>(.*?)</tr>", part, re.DOTALL)
    return [
        [re.sub(r"<[^>]*>", "", cell).strip() for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in rows
    ]


def test_every_city_has_a_page_in_each_language(given, pages):
    context = report(given())
    for language in ("zh", "en"):
        assert list(pages(context, language)) == [f"cities/c{number:02d}.{language}.html" for number in range(1, 13)]


def test_a_page_says_where_the_city_stands_and_leads_to_the_edition_the_archive_and_the_other_language(given, pages):
    text = pages(report(given()), "en")["cities/c01.en.html"]
    assert "In the composite index of May 2025, rank 1 of 11 ranked cities." in text
    for link in ("../index.en.html", "../../index.html", "c01.zh.html"):
        assert f'href="{link}"' in text
    assert "shared rank 3 of 11" in pages(report(given()), "en")["cities/c03.en.html"]
    assert "Not ranked in the composite index of May 2025." in pages(report(given()), "en")["cities/c12.en.html"]


def test_the_year_is_told_newest_first_with_intervals_and_each_platform(given, pages):
    text = pages(report(given()), "en")["cities/c04.en.html"]
    assert cells(text[text.index("The ranks of Delta by month") :].join(['<section id="x">', ""]), "x") == [
        ["May 2025", "3", "2–4.5", "2", "—", "—", "—", "—", "Final"],
        ["April 2025", "2", "2–4", "14", "—", "—", "—", "—", "Final"],
        ["March 2025", "—", "—", "—", "—", "—", "—", "—", "—"],
        ["February 2025", "2", "2–4", "—", "—", "—", "—", "—", "Final"],
    ]


def test_a_month_without_ranks_is_named_as_such(given, pages):
    context = report(given(withheld_months=frozenset({Month.parse("2025-04")})))
    row = re.search(r"<tr><th[^>]*>April 2025</th>.*?</tr>", pages(context, "en")["cities/c04.en.html"]).group()
    assert re.sub(r"<[^>]*>", " ", row).split() == ["April", "2025", *["—"] * 7, "Ranks", "withheld"]


def test_contributions_add_up_along_rows_and_columns_to_the_score(given, pages):
    """40 + 32.8 by platform and 18.456 of the experts are 91.256, 91.26 as printed."""
    rows = cells(pages(report(given()), "en")["cities/c01.en.html"], "contributions")
    assert [row[:3] for row in rows] == [
        ["Posts", "40.00", "40.00"],
        ["Followers", "32.80", "32.80"],
        ["Experts", "—", "18.46"],
        ["Score", "72.80", "91.26"],
    ]
    assert sum(Decimal(row[2]) for row in rows[:-1]) == Decimal(rows[-1][2])


def test_figures_and_posts_are_the_citys_own(given, pages):
    told = pages(report(given()), "en")
    assert "412,907" in told["cities/c04.en.html"]
    assert "412,907" not in told["cities/c01.en.html"]
    assert "Spring #alpha" in told["cities/c01.en.html"]
    assert "Spring #alpha" not in told["cities/c04.en.html"]
    assert "There are no posts this month." in told["cities/c04.en.html"]
    assert "no official account" in told["cities/c12.en.html"]


def test_an_edition_without_ranks_has_no_city_pages(given, pages):
    rule = EditionRule(month="2025-05", ranks="withheld", reason_zh="核对", reason_en="checks")
    assert pages(report(given(edition=rule)), "zh") == {}


def test_hostile_text_is_only_text(given, posts_frame, pages):
    text = pages(report(everywhere(given, posts_frame)), "zh")["cities/c01.zh.html"]
    assert "<script" not in text
    assert "javascript:alert" in html.unescape(text)
    assert 'href="javascript' not in text
    assert "\u202e" not in text
    assert "{{ 7*7 }}" in text


def test_a_city_called_by_a_reserved_character_is_linked_safely(given, rankings_frame, rank_row, pages):
    odd = 'a"b?#%'
    cities = given().cities.head(1).with_columns(city_id=pl.lit(odd))
    context = report(
        given(
            cities=cities,
            rankings=rankings_frame([rank_row("composite", "c01", 1, 9.0, city_id=odd)]),
            movers=given().movers.clear(),
        )
    )
    [name] = pages(context, "en")
    assert name == f"cities/{odd}.en.html"
    assert 'href="a%22b%3F%23%25.zh.html"' in pages(context, "en")[name]


def test_each_page_brings_the_glyphs_of_what_it_shows(given, posts_frame):
    """Alpha's post has a character no other page has, and one the font has not."""
    told = city_pages(report(given(top_posts=posts_frame(text="Spring 櫻 €"))), "zh")
    faces = {name: re.findall(r"base64,([A-Za-z0-9+/=]+)", text) for name, text in told.items()}
    for name in ("cities/c01.zh.html", "cities/c12.zh.html"):
        shown = html.unescape(re.sub(r"<[^>]*>", "", told[name][told[name].index("<body>") :]))
        glyphs = {
            chr(code) for font in faces[name] for code in TTFont(io.BytesIO(base64.b64decode(font))).getBestCmap()
        }
        assert {character for character in shown if not character.isspace()} - {"□"} <= glyphs | {"櫻"}
        assert ("€" in glyphs) == (name == "cities/c01.zh.html")
