"""Two cities of one name are told apart wherever the name stands alone; where both names stand, they are as they are."""

import html
import json
import re

import polars as pl
import pytest

from smi_pipeline.registry.models import City as Registered
from smi_pipeline.registry.namesakes import namesakes
from smi_pipeline.report.announcement import announcement
from smi_pipeline.report.cards import cards
from smi_pipeline.report.charts import charts
from smi_pipeline.report.city_pages import city_pages
from smi_pipeline.report.content import City, Names
from smi_pipeline.report.context import report
from smi_pipeline.report.document import document
from smi_pipeline.report.pages import page

SUZHOU = (City("320500", "苏州", "Suzhou", "江苏"), City("341300", "宿州", "Suzhou", "安徽"))
CHAOYANG = (City("211300", "朝阳", "Chaoyang", "辽宁"), City("110105", "朝阳", "Chaoyang", "北京"))
NANJING = City("320100", "南京", "Nanjing", "江苏")


def test_a_shared_name_is_followed_by_the_other_name_and_an_own_one_by_nothing():
    english, chinese = (Names.of([*SUZHOU, NANJING], language) for language in ("en", "zh"))
    assert english.all([*SUZHOU, NANJING]) == ["Suzhou (苏州)", "Suzhou (宿州)", "Nanjing"]
    assert [english.beside(city) for city in SUZHOU] == ["Suzhou", "Suzhou"]
    assert chinese.all([*SUZHOU, NANJING]) == ["苏州", "宿州", "南京"]


def test_where_both_names_are_shared_the_province_tells_them_apart_even_beside_the_other_name():
    for language, told in (("en", ["Chaoyang (辽宁)", "Chaoyang (北京)"]), ("zh", ["朝阳（辽宁）", "朝阳（北京）"])):
        names = Names.of(CHAOYANG, language)
        assert names.all(CHAOYANG) == told
        assert [names.beside(city) for city in CHAOYANG] == told


def test_where_nothing_else_differs_the_id_tells_them_apart():
    same = [City("a", "Museum", "Museum", ""), City("b", "museum", "museum", "")]
    assert Names.of(same, "en").all(same) == ["Museum (a)", "museum (b)"]


@pytest.fixture(scope="module")
def edition(given):
    """The edition of conftest.py with Bravo (乙市) called Alpha in English, like 甲市."""
    whole = given()
    rename = pl.col("name_en").replace("Bravo", "Alpha")
    return report(given(cities=whole.cities.with_columns(rename), rankings=whole.rankings.with_columns(rename)))


def left_alone(words):
    """What is left of the shared name where nothing tells it apart."""
    plain = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<style.*?</style>", "", words))).split())
    return re.findall(r".{30}(?<![甲乙]市 )Alpha(?! \(?[甲乙]市).{0,30}", plain)


def test_pages_charts_cards_and_the_announcement_tell_two_cities_of_one_name_apart(edition, light_font):
    shown = {
        "page": page(edition, "en"),
        "announcement": announcement(edition),
        **{name: chart.svg() for name, chart in charts(edition, "en").items()},
        **city_pages(edition, "en"),
        **{f"card of {name}": one.bare for name, one in cards(edition, "en").items()},
    }
    assert "Alpha (甲市)" in shown["page"]
    assert {name: left for name, words in shown.items() if (left := left_alone(words))} == {}


def test_the_pdf_tells_them_apart(edition):
    blocks = json.dumps(document(edition, "en"), ensure_ascii=False, default=str)
    blocks = blocks.replace('"name": "Alpha", "other": "甲市"', "").replace('"name": "Alpha", "other": "乙市"', "")
    assert "Alpha (甲市)" in blocks
    assert re.findall(r".{40}Alpha(?! \(?[甲乙]市).{0,30}", blocks) == []


def test_sentences_tell_them_apart(edition):
    said = [claim.said["en"] for claim in edition.claims]
    assert any("Alpha (甲市)" in one and "Alpha (乙市)" in one for one in said)
    assert [left for one in said for left in re.findall(r"Alpha(?! \()", one)] == []


def test_the_check_of_a_registry_mentions_cities_that_share_a_name_at_the_same_time():
    rows = [
        {"city_id": "320500", "name_zh": "苏州", "name_en": "Suzhou", "province": "江苏"},
        {"city_id": "341300", "name_zh": "宿州", "name_en": "suzhou", "province": "安徽"},
        {"city_id": "1", "name_zh": "旧", "name_en": "Old", "valid_to": "2024-01-01"},
        {"city_id": "2", "name_zh": "新", "name_en": "Old", "valid_from": "2024-01-01"},
    ]
    assert list(namesakes([Registered.model_validate(row) for row in rows])) == [
        (
            "'Suzhou' is the English name of 2 cities: 320500 (苏州, 江苏), 341300 (宿州, 安徽);"
            " where it stands alone it is printed with what tells them apart"
        )
    ]
