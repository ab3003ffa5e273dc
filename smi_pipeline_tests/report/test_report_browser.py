"""The pages in a real browser, as a reader has them: a file, no network, a keyboard, a phone, a printer, a screen reader."""

import io
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import PHONE, WIDE, chromium, opened
from hostile import HOST, TRIPPED
from PIL import Image

from smi_pipeline.registry.inputs import EditionRule
from smi_pipeline.report.archive import write_archive
from smi_pipeline.report.context import report
from smi_pipeline.report.editorial import parse_editorial
from smi_pipeline.report.files import write_report
from smi_pipeline.report.palette import DARK, LIGHT

PAGES = ("index.html", "index.en.html")
REFERENCES = Path(__file__).parent / "references"
NOTICED = 24  # of 255: what an eye may see; edges of letters differ by less between builds of Chromium
TOLERATED = 0.002  # share of the pixels that may differ so
EDITORIAL = "byline: Data desk\nreviewed_by: A. Editor\n\n# composite +\nWritten by *hand*.\n"


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def editions(given, tmp_path_factory):
    """reports/ with an edition made by hand and one without ranks, and the page over both."""
    folder = tmp_path_factory.mktemp("reports")
    edited = {language: parse_editorial(EDITORIAL, "f", language) for language in ("zh", "en")}
    rule = EditionRule(month="2025-05", ranks="withheld", reason_zh="数据仍在核对", reason_en="data are being checked")
    write_report(report(given(editorial=edited)), folder / "2025-05")
    write_report(report(given(edition=rule, synthetic=True)), folder / "unranked")
    write_archive(folder)
    return folder


@pytest.fixture(params=PAGES)
def page_file(request, editions):
    return editions / "2025-05" / request.param


def cells(page, column):
    """The texts of a column of the table of all cities, as they stand."""
    return page.locator(f"#all tbody tr:not([hidden]) > :nth-child({column})").all_inner_texts()


def test_a_page_opens_from_a_file_without_a_network_asks_for_nothing_and_has_no_complaint(browser, page_file):
    with opened(browser, page_file) as seen:
        assert seen.page.locator("h1").is_visible()
        assert (seen.asked, seen.said) == ([], [])


def test_it_is_drawn_in_the_font_it_carries(browser, page_file):
    with opened(browser, page_file) as seen:
        assert seen.page.evaluate("[...document.fonts].map((face) => face.status)") == ["loaded", "loaded"]
        family = seen.page.evaluate("getComputedStyle(document.body).fontFamily")
        assert seen.page.evaluate("[...document.fonts][0].family") in family


def test_the_table_is_sorted_with_the_keyboard_and_says_by_what(browser, page_file):
    """Twelve cities, one not ranked: it comes last both ways."""
    with opened(browser, page_file) as seen:
        page = seen.page
        rank = page.locator("#all th").nth(0)
        assert rank.get_attribute("aria-sort") == "ascending"
        ranked = cells(page, 2)
        rank.locator("button").focus()
        page.keyboard.press("Enter")
        assert rank.get_attribute("aria-sort") == "descending"
        turned = cells(page, 2)
        assert turned[-1] == ranked[-1]
        assert turned[0] == ranked[-2]
        name = page.locator("#all th").nth(1)
        name.locator("button").focus()
        page.keyboard.press("Space")
        assert rank.get_attribute("aria-sort") is None
        assert name.get_attribute("aria-sort") == "ascending"
        assert len(page.locator("#all th[aria-sort]").all()) == 1


def test_a_city_is_found_by_either_name_or_its_province_and_the_count_is_told(browser, page_file):
    with opened(browser, page_file) as seen:
        page = seen.page
        for words, shown in (("LIMA", 1), ("丑市", 1), ("某省", 12), ("nowhere", 0), ("", 12)):
            page.locator("#find").fill(words)
            assert len(cells(page, 2)) == shown
            assert page.locator("#shown").inner_text() == f"{shown} / 12"


def test_the_other_language_is_one_click_away_at_the_same_section(browser, page_file):
    with opened(browser, page_file) as seen:
        page = seen.page
        before = page.locator("html").get_attribute("lang")
        page.goto(page_file.as_uri() + "#youtube")
        page.locator("a.language").click()
        page.wait_for_url("**#youtube")
        assert {before, page.locator("html").get_attribute("lang")} == {"zh-CN", "en"}
        assert page.locator("#youtube h2").bounding_box()["y"] < WIDE["height"]
        assert seen.said == []


def test_every_section_has_an_address_of_its_own(browser, page_file):
    with opened(browser, page_file) as seen:
        anchors = seen.page.locator("section > a.anchor")
        addresses = [anchor.get_attribute("href").removeprefix("#") for anchor in anchors.all()]
        assert addresses == [section.get_attribute("id") for section in seen.page.locator("main > section").all()]
        anchors.nth(3).click()
        assert seen.page.url.endswith(f"#{addresses[3]}")


def test_the_keyboard_reaches_the_content_first_and_sees_where_it_is(browser, page_file):
    with opened(browser, page_file) as seen:
        page = seen.page
        page.keyboard.press("Tab")
        skip = page.locator("a.skip")
        assert skip.evaluate("(link) => document.activeElement === link")
        assert skip.bounding_box()["x"] >= 0
        assert skip.evaluate("(link) => getComputedStyle(link).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"


def rgb(colour):
    return f"rgb({int(colour[1:3], 16)}, {int(colour[3:5], 16)}, {int(colour[5:7], 16)})"


@pytest.mark.parametrize(("scheme", "palette"), [("light", LIGHT), ("dark", DARK)])
def test_it_is_light_or_dark_as_the_reader_has_set(browser, page_file, scheme, palette):
    with opened(browser, page_file, scheme=scheme) as seen:
        style = "getComputedStyle(document.body)"
        assert seen.page.evaluate(f"[{style}.backgroundColor, {style}.color]") == [
            rgb(palette["paper"]), rgb(palette["ink"]),
        ]  # fmt: skip


def test_printed_it_is_light_complete_and_without_what_only_a_screen_has(browser, page_file):
    with opened(browser, page_file, scheme="dark") as seen:
        page = seen.page
        folded = page.locator("details").first.locator("table").first
        assert not folded.is_visible()
        page.emulate_media(media="print")
        assert page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--ink')") == LIGHT["ink"]
        assert folded.evaluate("(table) => table.getBoundingClientRect().height") > 0
        for unprinted in ("nav", "#tools", "a.language", "a.anchor"):
            assert not page.locator(unprinted).first.is_visible(), unprinted
        assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")


@pytest.mark.parametrize(
    "where",
    [
        "2025-05/index.html",
        "2025-05/index.en.html",
        "2025-05/cities/c01.en.html",
        "unranked/index.en.html",
        "index.html",
    ],
)
def test_on_a_phone_nothing_is_wider_than_the_screen(browser, editions, where):
    with opened(browser, editions / where, size=PHONE) as seen:
        assert seen.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def violations(page):
    """What axe-core finds, with every folded part opened, each as rule and places."""
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    found = Axe().run(page).response["violations"]
    return [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize(
    "where",
    [
        "2025-05/index.html",
        "2025-05/index.en.html",
        "2025-05/cities/c01.zh.html",
        "2025-05/cities/c12.en.html",
        "unranked/index.html",
        "unranked/index.en.html",
        "index.html",
    ],
)
def test_axe_finds_no_violation(browser, editions, where, size, scheme):
    with opened(browser, editions / where, size=size, scheme=scheme) as seen:
        assert violations(seen.page) == []


@pytest.mark.parametrize("name", PAGES)
def test_the_whole_demo_opens_so_too(browser, demo, name):
    """138 cities, fourteen hundred posts: what the edition made by hand is too small to show."""
    file = demo[0] / "reports" / "2025-05" / name
    with opened(browser, file, size=PHONE) as seen:
        assert seen.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        assert violations(seen.page) == []
        assert (seen.asked, seen.said) == ([], [])


@pytest.mark.parametrize(
    ("name", "where", "size", "scheme"),
    [
        ("zh", "index.html", WIDE, "light"),
        ("en", "index.en.html", WIDE, "light"),
        ("en.dark", "index.en.html", WIDE, "dark"),
        ("zh.phone", "index.html", PHONE, "light"),
        ("en.phone", "index.en.html", PHONE, "light"),
    ],
)
def test_it_looks_as_it_was_reviewed(browser, editions, tmp_path, name, where, size, scheme):
    """The references were looked at; CONTRIBUTING.md says how they are renewed."""
    with opened(browser, editions / "2025-05" / where, size=size, scheme=scheme) as seen:
        taken = seen.page.screenshot(path=tmp_path / f"{name}.png", animations="disabled")
    now, reference = (pixels(file) for file in (io.BytesIO(taken), REFERENCES / f"{name}.png"))
    assert now.shape == reference.shape
    share = (np.abs(now - reference).max(axis=2) > NOTICED).mean()
    assert share <= TOLERATED, f"{share:.2%} of {tmp_path / name}.png differs from references/{name}.png"


def pixels(file):
    with Image.open(file) as picture:
        return np.asarray(picture.convert("RGB"), dtype=int)


def test_another_word_in_a_sentence_is_no_longer_within_what_is_tolerated(browser, editions):
    """Else the test above would show nothing."""
    with opened(browser, editions / "2025-05" / "index.en.html") as seen:
        seen.page.evaluate("document.querySelector('.finding').textContent = 'Bravo leads.'")
        taken = pixels(io.BytesIO(seen.page.screenshot(animations="disabled")))
    assert (np.abs(taken - pixels(REFERENCES / "en.png")).max(axis=2) > NOTICED).mean() > TOLERATED


@pytest.mark.parametrize("name", PAGES)
def test_what_strangers_wrote_does_nothing_to_the_page(browser, hostile, name):
    """Every text of the hostile data set, collected over five APIs: none runs, asks, leads away, hides or reorders."""
    with opened(browser, hostile / "reports" / "2025-05" / name, size=PHONE) as seen:
        page = seen.page
        page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
        for element in page.locator("main .post").all()[:5]:
            element.hover()
        assert page.evaluate(f"window.{TRIPPED}") is None
        assert (seen.asked, seen.said) == ([], [])
        assert page.evaluate("document.scripts.length") == 1
        assert (
            page.locator("main iframe, main img, main base, main style, main link, main object, main form").count() == 0
        )
        assert (
            page.evaluate(
                "[...document.querySelectorAll('*')].flatMap((e) => e.getAttributeNames()).filter((n) => n.startsWith('on'))"
            )
            == []
        )
        addresses = page.evaluate("[...document.links].map((link) => link.href)")
        assert [
            address for address in addresses if not address.startswith("file:")
        ] == []  # made-up posts: no link but .example
        assert not [address for address in addresses if HOST in address]
        text = page.evaluate("document.body.textContent")
        assert not set(text) & set(
            "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u200e\u200f\u061c\ufeff\u00ad\x00\x07\x1b\ufffe"
        )
        assert f"<script>window.{TRIPPED}=1</script>" in text
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        assert violations(page) == []


def test_the_archive_of_hostile_names_does_nothing_either(browser, hostile):
    with opened(browser, hostile / "reports" / "index.html") as seen:
        assert seen.page.evaluate(f"window.{TRIPPED}") is None
        assert (seen.asked, seen.said) == ([], [])
        assert violations(seen.page) == []


@pytest.mark.parametrize("city", ["320100", "510100", "350200"])
def test_the_page_of_a_city_with_a_hostile_name_does_nothing_either(browser, hostile, city):
    """It has no script of its own, and nobody else's runs."""
    with opened(browser, hostile / "reports" / "2025-05" / "cities" / f"{city}.zh.html") as seen:
        assert seen.page.evaluate(f"window.{TRIPPED}") is None
        assert (seen.asked, seen.said) == ([], [])
        assert seen.page.evaluate("document.scripts.length") == 0
        assert violations(seen.page) == []


def test_a_city_is_found_in_the_archive_by_name(browser, editions):
    with opened(browser, editions / "index.html") as seen:
        seen.page.locator("#find").fill("juliett")
        assert seen.page.locator("#all tbody tr:visible").count() == 1
        assert seen.page.locator("#shown").inner_text() == "1 / 12"
        assert seen.said == []
