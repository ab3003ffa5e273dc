"""The cards: whole, in order, in proportion, marked where the data are made up, harmless whatever a city is called."""

import re
import struct
from xml.etree import ElementTree as ET

import pytest

from smi_pipeline.report.cards import HEIGHT, WIDTH, cards
from smi_pipeline.report.context import report
from smi_pipeline.report.palette import LIGHT

SVG = "{http://www.w3.org/2000/svg}"
EVIL = '<script>alert(1)</script>&"'


def made(context, index="composite", language="zh"):
    return ET.fromstring(cards(context, language)[index].svg)


def texts(root):
    return [text.text for text in root.iter(f"{SVG}text")]


def bars(root):
    """Length and colour of each bar, from the top."""
    return [
        (float(rect.get("width")), rect.get("fill"))
        for rect in root.iter(f"{SVG}rect")
        if rect.get("height") == "28" and rect.get("rx") == "2"
    ]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_picture_is_1080_by_1350_and_has_ink_where_the_title_is(given, language):
    context = report(given())
    card = cards(context, language)["composite"]
    picture = card.png()
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", picture[16:24]) == (WIDTH, HEIGHT)
    bare = type(card)(card.svg, re.sub(r"<text.*?</text>", "", card.bare, flags=re.DOTALL))
    assert len(picture) > 1.5 * len(bare.png())


def test_ten_cities_stand_in_the_order_of_their_ranks(given):
    said = texts(made(report(given()), language="en"))
    places = [said.index(name) for name in ("Alpha", "Bravo", "Charlie", "Delta", "Echo", "Juliett")]
    assert places == sorted(places)
    assert "Kilo" not in said


def test_bars_begin_at_zero_and_are_as_long_as_the_scores(given):
    lengths = [length for length, _ in bars(made(report(given())))]
    assert len(lengths) == 10
    assert lengths[0] / lengths[2] == pytest.approx(91.256 / 80, abs=0.01)
    assert lengths[9] / lengths[2] == pytest.approx(45 / 80, abs=0.01)


def test_only_the_city_that_came_in_from_farthest_is_set_off(given):
    """Juliett came from 13th to 10th, farther than anybody who entered the ten."""
    colours = [colour for _, colour in bars(made(report(given())))]
    assert colours == [LIGHT["bar"]] * 9 + [LIGHT["accent"]]


def test_a_change_is_a_shape_and_a_number_and_entering_is_a_badge(given):
    root = made(report(given()))
    shapes = [path.get("fill") for path in root.iter(f"{SVG}path")]
    assert shapes.count(LIGHT["up"]) == 2  # Bravo by three, Charlie by one
    assert shapes.count(LIGHT["down"]) == 1  # Delta by two
    assert texts(root).count("新进") == 2  # Golf and Juliett


def test_made_up_data_are_marked_across_the_ranking_and_below_it(given):
    for language, words in (("zh", "合成数据，非真实结果"), ("en", "Made-up data, not real results")):
        assert texts(made(report(given(synthetic=True)), language=language)).count(words) == 2
        assert words not in texts(made(report(given()), language=language))


def test_a_platform_without_a_ranking_says_so_instead_of_showing_an_empty_card(given):
    said = texts(made(report(given()), "instagram", "en"))
    assert "There is no ranking of this platform this month." in said


def test_what_does_not_count_in_the_composite_is_said(given):
    assert any("TikTok不计入综合指数" in text for text in texts(made(report(given()))))
    assert any("不计入综合指数" in text for text in texts(made(report(given()), "tiktok")))
    assert not any("不计入" in text for text in texts(made(report(given()), "facebook")))


def test_a_hostile_name_stays_text_and_a_long_one_is_cut_to_its_place(given, rankings_frame, rank_row):
    rows = [rank_row("composite", "c01", 1, 9.0, name_zh=EVIL, name_en="Llanfair" * 9)]
    root = made(report(given(rankings=rankings_frame(rows))))
    assert list(root.iter(f"{SVG}script")) == []
    said = texts(root)
    assert any(text.startswith("<script>") for text in said)
    assert any(text.startswith("Llanfair") and text.endswith("…") for text in said)


def test_a_character_the_font_lacks_is_boxed(given, rankings_frame, rank_row):
    rows = [rank_row("composite", "c01", 1, 9.0, name_zh="京😀")]
    assert "京□" in texts(made(report(given(rankings=rankings_frame(rows)))))


def test_a_provisional_ranking_is_called_so(given):
    assert any("（暂定）" in text for text in texts(made(report(given(status="provisional")))))


def test_a_card_loads_nothing_and_names_itself(given):
    card = cards(report(given()), "en")["x"].svg
    assert set(re.findall(r"url\([^;]{0,16}", card)) == {"url(data:font/woff2"}
    assert "href" not in card
    root = ET.fromstring(card)
    assert root.get("role") == "img"
    assert root.find(f"{SVG}title").text == "Chinese cities on X"
