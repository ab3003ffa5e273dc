"""The cards: whole, in order, in proportion, marked where the data are made up, harmless whatever a city is called."""

import math
import re
import struct
from xml.etree import ElementTree as ET

import pytest

from smi_pipeline.report.cards import HEIGHT, WIDTH, cards
from smi_pipeline.report.context import report
from smi_pipeline.report.palette import LIGHT

SVG = "{http://www.w3.org/2000/svg}"
EVIL = '<script>alert(1)</script>&"'

pytestmark = pytest.mark.usefixtures("light_font")


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


def test_an_unchanged_rank_and_one_that_cannot_be_compared_do_not_look_alike(given, rankings_frame, rank_row):
    """Alpha was first before; Bravo's rank of the month before is known, but the two months do not compare."""
    rows = [rank_row("composite", "c01", 1, 90.0, 1), rank_row("composite", "c02", 2, 80.0, 2, rank_change=None)]
    said = texts(made(report(given(rankings=rankings_frame(rows)))))
    assert said.count("–") == 1
    assert "较上月" in said


@pytest.mark.parametrize(
    ("language", "head", "sentence"),
    [
        ("zh", "较上月", "没有可比的上月排序，不列升降。"),
        ("en", "vs last month", "No comparable month before: no changes shown."),
    ],
)
def test_without_a_month_before_nothing_is_said_about_change(given, rankings_frame, rank_row, language, head, sentence):
    rows = [rank_row("composite", f"c{n:02d}", n, 95.0 - n) for n in range(1, 13)]
    root = made(report(given(rankings=rankings_frame(rows))), language=language)
    said = texts(root)
    assert head not in said
    assert "–" not in said
    assert list(root.iter(f"{SVG}path")) == []
    assert any(text.endswith(sentence) for text in said)


def test_a_shape_stays_clear_of_a_number_of_two_digits(given, rankings_frame, rank_row):
    """Digits are 0.56 to 0.6 of their size wide: two of 27 need 30 at least, and end at 1010."""
    rows = [rank_row("composite", "c01", 1, 90.0, 5, rank_change=12), rank_row("composite", "c02", 2, 80.0, 2)]
    root = made(report(given(rankings=rankings_frame(rows))))
    [shape] = root.iter(f"{SVG}path")
    left = float(re.match(r"M([\d.]+)", shape.get("d")).group(1))
    assert left + 22 < 1010 - 30


def test_made_up_data_are_marked_above_below_and_across_every_row(given):
    """A Han character is a square: ten of them, slanted, reach sin(18°) of their length up and down."""
    root = made(report(given(synthetic=True)))
    marks = [text for text in root.iter(f"{SVG}text") if text.text == "合成数据，非真实结果"]
    assert [mark.get("y") for mark in marks if mark.get("y")] == ["27", "1334"]
    across = [re.match(r"translate\(\d+ (\d+)\) rotate\(-18\)", mark.get("transform") or "") for mark in marks]
    middles = [float(found.group(1)) for found in across if found]
    [size] = [float(g.get("font-size")) for g in root.iter(f"{SVG}g") if g.get("fill-opacity")]
    reach = 10 * size / 2 * math.sin(math.radians(18))
    rows = [float(g.get("transform")[len("translate(0 ") : -1]) for g in root.iter(f"{SVG}g") if g.get("transform")]
    assert len(rows) == 10
    assert all(any(middle - reach < row + 66 and middle + reach > row + 30 for middle in middles) for row in rows)


@pytest.mark.parametrize(
    ("language", "words"), [("zh", "合成数据，非真实结果"), ("en", "Made-up data, not real results")]
)
def test_only_made_up_data_are_marked_and_the_mark_is_also_read_aloud(given, language, words):
    marked, plain = (made(report(given(synthetic=synthetic)), language=language) for synthetic in (True, False))
    assert marked.find(f"{SVG}desc").text.startswith(words)
    assert words not in texts(plain)
    assert words not in plain.find(f"{SVG}desc").text


def test_who_does_not_see_the_card_is_told_the_same(given):
    zh, en = (made(report(given()), language=language).find(f"{SVG}desc").text for language in ("zh", "en"))
    assert zh.startswith("甲市居首，庚市、癸市跻身前十｜2025年5月号。第1名甲市，指数91.26，与上月持平。第2名乙市，")
    assert "2: Bravo, score 88.50, up 3 places." in en
    assert "10: Juliett, score 45.00, new in the top ten." in en


@pytest.mark.parametrize(
    ("index", "language", "sentence"),
    [
        ("instagram", "zh", "照片墙本月未采集，不列该平台的数据。"),
        ("instagram", "en", "Instagram was not collected this month; nothing is shown for it."),
        ("composite", "zh", "本月没有可列出的排序。"),
        ("facebook", "en", "There is no ranking to show this month."),
    ],
)
def test_a_card_without_a_ranking_says_why_instead_of_looking_empty(given, rankings_frame, index, language, sentence):
    """Instagram was not collected; Facebook was, but nobody has a rank."""
    assert sentence in texts(made(report(given(rankings=rankings_frame([]))), index, language))


def test_fewer_than_ten_cities_are_all_there_are(given):
    assert len(bars(made(report(given()), "facebook"))) == 2


def tied(rank_row, at):
    """Twelve cities, those from a place on sharing it."""
    return [rank_row("composite", f"c{n:02d}", min(n, at), 95.0 - min(n, at), min(n, at)) for n in range(1, 13)]


@pytest.mark.parametrize(
    ("at", "zh", "en"),
    [
        (10, "第十位并列，前十共12个城市，此处列出十个。", "Shared 10th place: ten of 12 cities shown."),
        (9, "第九位并列，前十共12个城市，此处列出十个。", "Shared 9th place: ten of 12 cities shown."),
    ],
)
def test_of_more_than_ten_the_first_ten_are_shown_and_the_shared_place_is_named(
    given, rankings_frame, rank_row, at, zh, en
):
    context = report(given(rankings=rankings_frame(tied(rank_row, at))))
    for language, sentence in (("zh", zh), ("en", en)):
        root = made(context, language=language)
        assert len(bars(root)) == 10
        assert any(text.endswith(sentence) for text in texts(root))


def test_too_many_leaders_to_name_are_counted_and_none_is_left_out(given, rankings_frame, rank_row):
    context = report(given(rankings=rankings_frame(tied(rank_row, 1))))
    assert "十二个城市并列首位｜2025年5月号" in texts(made(context))
    assert "12 cities share the lead | May 2025" in texts(made(context, language="en"))


def test_a_composite_without_expert_scores_is_not_called_the_whole(given):
    context = report(given(composite=given().composite.clear()))
    assert "中国城市海外社交媒体综合传播力指数（定量部分）" in texts(made(context))
    assert "中国城市脸书传播力指数" in texts(made(context, "facebook"))


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


def test_two_cities_of_one_name_can_be_told_apart(given, rankings_frame, rank_row):
    names = ["Taizhou (Jiangsu)", "Taizhou (Zhejiang)", "Qinhuangdao"]
    rows = [rank_row("composite", f"c{n:02d}", n, 90.0, name_en=name) for n, name in enumerate(names, 1)]
    said = texts(made(report(given(rankings=rankings_frame(rows))), language="en"))
    assert [name for name in names if name in said] == names


@pytest.mark.parametrize(("language", "end"), [("zh", "｜2025年5月号（暂定）"), ("en", " | May 2025 (provisional)")])
def test_month_and_status_stay_however_long_the_names_are(given, rankings_frame, rank_row, language, end):
    rows = [rank_row("composite", "c01", 1, 90.0, 1, name_zh="克孜勒苏" * 12, name_en="Kizilsu " * 12)]
    context = report(given(status="provisional", rankings=rankings_frame(rows)))
    assert any(text.endswith(f"…{end}") for text in texts(made(context, language=language)))


def test_a_finding_that_does_not_fit_is_said_without_the_newcomers_not_cut(given, rankings_frame, rank_row):
    rows = [
        rank_row("composite", f"c{n:02d}", n, 90.0, before, name_en=f"Qiandongnan and Neighbours {n}")
        for n, before in ((1, 1), (2, 12), (3, 13))
    ]
    said = texts(made(report(given(rankings=rankings_frame(rows))), language="en"))
    assert "Qiandongnan and Neighbours 1 leads | May 2025" in said


def test_a_card_loads_nothing_and_names_itself(given):
    card = cards(report(given()), "en")["x"].svg
    assert set(re.findall(r"url\([^;]{0,16}", card)) == {"url(data:font/woff"}
    assert "href" not in card
    root = ET.fromstring(card)
    assert root.get("role") == "img"
    assert root.find(f"{SVG}title").text == "Chinese cities on X"
