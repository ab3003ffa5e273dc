"""The PDF as a reader opens it: its words, its fonts, its pages; nothing a stranger wrote is read as Typst."""

import ctypes
import re
from datetime import date

import numpy as np
import polars as pl
import pypdfium2
import pypdfium2.raw as pdfium
import pytest
from hostile_edition import everywhere

from smi_pipeline.registry.inputs import EditionRule
from smi_pipeline.report.context import report
from smi_pipeline.report.pdf import pdf

A4 = (595, 842)


@pytest.fixture
def opened():
    documents = []

    def read(content):
        documents.append(pypdfium2.PdfDocument(content))
        return documents[-1]

    yield read
    for document in documents:
        document.close()


def words(document):
    return "\n".join(page.get_textpage().get_text_range() for page in document)


def fonts(document):
    """Name of each font a text is set in, and whether it is in the file."""
    found = set()
    for page in document:
        for thing in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_TEXT]):
            font = pdfium.FPDFTextObj_GetFont(thing.raw)
            name = ctypes.create_string_buffer(200)
            pdfium.FPDFFont_GetBaseFontName(font, name, 200)
            found.add((name.value.decode().split("+")[-1], bool(pdfium.FPDFFont_GetIsEmbedded(font))))
    return found


@pytest.fixture
def long_edition(given, rankings_frame, rank_row):
    """An edition with 138 cities, whose table goes over several pages."""
    ids = [f"c{number:03d}" for number in range(1, 139)]
    cities = pl.DataFrame(
        [{"city_id": one, "name_zh": f"城{one}", "name_en": f"City {one}", "province": "某省"} for one in ids]
    )
    rows = [
        rank_row(
            "composite",
            "c01",
            place,
            99.0 - place / 2,
            place,
            city_id=one,
            name_zh=f"城{one}",
            name_en=f"City {one}",
            flags=["common_set"],
        )
        for place, one in enumerate(ids, 1)
    ]
    return report(given(cities=cities, rankings=rankings_frame(rows), movers=given().movers.clear()))


@pytest.mark.parametrize(
    ("language", "title", "finding"), [("zh", "综合传播力 TOP10", "甲市"), ("en", "Composite TOP10", "Alpha")]
)
def test_it_is_set_on_a4_in_the_packaged_fonts_alone(opened, given, language, title, finding):
    """Fonts of the machine, or those Typst brings along, would make it look different elsewhere."""
    document = opened(pdf(report(given()), language))
    assert {tuple(round(side) for side in page.get_size()) for page in document} == {A4}
    assert fonts(document) == {("SMISans-Regular", True), ("SMISans-Bold", True)}
    told = words(document)
    assert title in told
    assert finding in told
    assert re.search(rf"{len(document)}\D*{len(document)}\D*$", told.strip().splitlines()[-1])


def test_every_section_of_the_page_is_there(opened, given):
    told = words(opened(pdf(report(given()), "en")))
    for said in (
        "Facebook TOP10",
        "All 12 cities",
        "Method (m1)",
        "Platform weights of May 2025",
        "Data gaps",
        "Provenance",
    ):
        assert said in told
    for said in ("TikTok is left out", "Spring #alpha", "@sbx_echo", "does not <i>exist</i>", "a <b>bold</b> source"):
        assert said in told


def test_the_heads_of_a_long_table_are_repeated_and_no_page_is_half_empty(opened, long_edition):
    """Every page but the last is inked beyond its middle; the heads stand above the cities on each page of theirs."""
    document = opened(pdf(long_edition, "en"))
    with_cities = [page.get_textpage().get_text_range() for page in document]
    with_cities = [text for text in with_cities if len(re.findall(r"城c\d+", text)) > 12]
    assert len(with_cities) >= 2  # a page holds some sixty
    assert all("Interval" in text and "Province" in text for text in with_cities)
    for page in list(document)[:-1]:
        ink = page.render(scale=0.5, grayscale=True).to_numpy()
        inked = np.flatnonzero((ink < 200).any(axis=1))
        assert inked[inked < 0.92 * ink.shape[0]].max() > 0.6 * ink.shape[0]


def test_a_ranking_and_what_is_said_of_it_stand_on_one_page(opened, long_edition):
    texts = [page.get_textpage().get_text_range() for page in opened(pdf(long_edition, "en"))]
    [first] = [text for text in texts if "Composite TOP10" in text]
    assert "City c001" in first
    assert "City c010" in first
    assert "have a composite rank" in first


def test_no_word_of_a_stranger_is_read_as_typst_or_hides_another(opened, given, posts_frame):
    document = opened(pdf(report(everywhere(given, posts_frame)), "en"))
    told = words(document).replace("\r\n", "").replace("\n", "")
    assert '#eval("1") *bold* _it_ $x$ @ref <label> #image("/etc/passwd")' in told
    assert "<script>alert(1)</script>" in told
    assert "#panic()" in told
    assert "\u202e" not in told
    assert fonts(document) == {("SMISans-Regular", True), ("SMISans-Bold", True)}
    links = [link for page in document for link in page_links(page)]
    assert links == []


def page_links(page):
    position, link, found = ctypes.c_int(0), pdfium.FPDF_LINK(), []
    while pdfium.FPDFLink_Enumerate(page.raw, position, link):
        found.append(pdfium.FPDFLink_GetAction(link))
    return found


def test_a_post_is_linked_where_its_address_may_be(opened, given):
    assert sum(len(page_links(page)) for page in opened(pdf(report(given()), "en"))) == 1


def test_it_is_the_same_again_and_dated_as_the_edition(opened, given):
    context = report(given())
    content = pdf(context, "zh")
    assert content == pdf(context, "zh")
    dates = {key: value for key, value in opened(content).get_metadata_dict().items() if "Date" in key}
    assert set(dates) == {"CreationDate", "ModDate"}
    assert all(value.startswith("D:20250609221200") for value in dates.values())


def test_made_up_data_are_marked_on_every_page(opened, given):
    pages = opened(pdf(report(given(synthetic=True)), "en"))
    assert all("Made-up data, not real results" in page.get_textpage().get_text_range() for page in pages)
    assert "Made-up data" not in words(opened(pdf(report(given()), "en")))


def test_an_edition_without_ranks_says_why_and_has_no_bar_and_no_chart(opened, given):
    rule = EditionRule(month="2025-05", ranks="withheld", reason_zh="核对", reason_en="some data are being checked")
    told = words(opened(pdf(report(given(edition=rule)), "en"))).replace("\r\n", " ")
    assert "some data are being checked" in told
    assert "random order" in told
    for gone in ("91.26", "The top ten over the year", "Largest changes", "▲", "412,907"):
        assert gone not in told


def test_an_edition_of_nothing_can_be_printed(opened, given):
    empty = given(
        rankings=given().rankings.clear(), movers=given().movers.clear(), cities=given().cities.clear(), platform_weight=given().platform_weight.clear(),
        composite_year=given().composite_year.filter(month=date(2025, 5, 1)).clear(),
    )  # fmt: skip
    assert "No city has a composite rank this month" in words(opened(pdf(report(empty), "en"))).replace("\r\n", " ")
