"""An edition without ranks: the same bytes whatever the order was, and a reader is told whom it lists and why so."""

import csv
import io
import json
import random
import re
from dataclasses import fields
from datetime import date

import openpyxl
import polars as pl
import pypdfium2
import pytest

from smi_pipeline.months import Month
from smi_pipeline.registry.inputs import EditionRule
from smi_pipeline.registry.models import PLATFORMS
from smi_pipeline.report.archive import write_archive
from smi_pipeline.report.cards import cards
from smi_pipeline.report.content import City, Entry
from smi_pipeline.report.context import report
from smi_pipeline.report.files import contents, write_report
from smi_pipeline.report.inputs import Against
from smi_pipeline.report.pages import page
from smi_pipeline.report.withheld import drawn

CITIES = [f"c{n:02d}" for n in range(1, 13)]
INDICES = ("composite", *PLATFORMS)
RULE = EditionRule(
    month="2025-05", ranks="withheld", reason_zh="部分数据仍在核对。", reason_en="some data are still being checked."
)
# What only a ranking can say, in either language.
TELLING = re.compile(
    "首位|依次|上升|下降|升降|跻身|持平|退出前十|新进|并列|[▲▼]|leads|in order|unchanged|\\bup \\d|\\bdown \\d|new in the top|share the lead"
)

pytestmark = pytest.mark.usefixtures("light_font")


def scores(place, index):
    """No score of a place is another's, nor a number the pages print for another reason."""
    return 97.531 - 6.173 * place - 0.317 * INDICES.index(index)


@pytest.fixture
def edition(given, rankings_frame, rank_row):
    """An edition in which the cities' places are the given order: every figure of a city hangs on its place."""

    def build(order, rule=RULE, before=None, **more):
        rows, figures, composite, points, tags, measures, year = [], [], [], [], [], [], []
        [figure] = given().city_metrics.to_dicts()
        for index in INDICES:
            for place, city in enumerate(order):
                last = None if before is None else before.index(city) + 1
                flags = ["common_set"] if place > 6 else []
                rows.append(rank_row(index, city, place + 1, scores(place, index), last, flags=flags))
        for place, city in enumerate(order):
            figures += [
                figure | {"platform": p, "city_id": city, "interactions": 412_907 - place, "followers": 98_765 - place}
                for p in PLATFORMS
            ]
            for platform in PLATFORMS:  # a tag of the city's own
                tag = {"platform": platform, "hashtag": city, "posts": 54_321 - place, "interactions": 412_907 - place}
                tags.append({"month": figure["month"], **tag, "reach": 412_907 - place})
            score = scores(place, "composite")
            composite.append(
                {"month": figure["month"], "city_id": city}
                | dict.fromkeys(("quantitative", "qualitative", "score"), score)
                | {"rank_p05": 1.0 + place, "rank_p95": 3.5 + place}
            )
            measures.append(
                {
                    "month": figure["month"],
                    "platform": "x",
                    "city_id": city,
                    "indicator": "posts",
                    "value": score,
                    "score": score,
                }
                | {"flags": []}
            )
            months = {"month": [date(2025, 4, 1), figure["month"]]}
            year.append(
                pl.DataFrame(months).with_columns(
                    city_id=pl.lit(city),
                    rank=place + 1,
                    rank_p05=1.0 + place,
                    rank_p95=3.5 + place,
                    status=pl.lit("final"),
                    method_version=pl.lit("m1"),
                )
            )
            points.append(
                {
                    "month": figure["month"],
                    "city_id": city,
                    "platform": "x",
                    "indicator": "posts",
                    "contribution": score,
                }
            )
        ranked = rankings_frame(rows)
        moved = ranked.filter(pl.col("rank_change") != 0).with_columns(
            direction=pl.when(pl.col("rank_change") > 0).then(pl.lit("up")).otherwise(pl.lit("down"))
        )
        tables = {
            "rankings": ranked,
            "movers": moved.select(given().movers.columns),
            "city_metrics": pl.DataFrame(figures, schema=given().city_metrics.schema),
            "composite": pl.DataFrame(composite),
            "contribution": pl.DataFrame(points),
            "hashtags": pl.DataFrame(tags),
            "indicator_score": pl.DataFrame(measures, schema=given().indicator_score.schema),
            "composite_year": pl.concat(year),
            "platform_year": pl.concat(year).with_columns(platform=pl.lit("x")),
        }
        earlier = ranked.with_columns(rank=pl.col("previous_rank"), score=pl.col("score") - 1)
        against = Against(
            number=2, draft=False, reason="why", causes={"data": ["again"]}, rankings=earlier, withheld=False
        )
        return report(given(edition=rule, against=against, **(tables | more)))

    return build


def shuffled(seed):
    """Another order of the same leading ten, and of the two behind them."""
    dice = random.Random(seed)
    return dice.sample(CITIES[:10], 10) + dice.sample(CITIES[10:], 2)


def test_not_one_byte_of_any_file_hangs_on_who_was_first(edition):
    """Ranks, scores, changes, contributions and counts all turned round: if a file gave an order away, it would differ."""
    one = contents(edition(CITIES, before=shuffled(1)))
    for seed in (2, 3):
        other = contents(edition(shuffled(seed), before=shuffled(seed + 10)))
        assert [name for name in one if one[name] != other[name]] == []


def test_whatever_an_edition_gains_is_withheld_until_somebody_has_looked_at_it(edition):
    """A part that is neither emptied nor named here is new: bare it in withheld.py, or name it if it tells no order."""
    shown, withheld = (edition(CITIES, rule, before=shuffled(1)) for rule in (None, RULE))
    harmless = {
        "month", "zone", "status", "synthetic", "quantitative_only", "cities", "weights", "account_gaps", "suspensions",
        "experts", "collections", "cities_change", "counted_from", "counted_to", "editorial", "method", "method_before", "code_version", "snapshot",
    }  # fmt: skip
    assert {f.name for f in fields(shown) if getattr(shown, f.name) == getattr(withheld, f.name)} == harmless
    same = {
        f.name
        for f in fields(shown.sections[0])
        if getattr(shown.sections[0], f.name) == getattr(withheld.sections[0], f.name)
    }
    assert same == {"platform", "collected", "by_views", "posts", "weight", "coverage", "flagged"}
    assert [f.name for f in fields(Entry)] == ["city", "rank", "tied", "score", "previous_rank", "change", "flags"]


def test_nothing_is_claimed_of_a_city_but_that_it_leads(edition):
    """Each place of a sentence is named: a new one is empty here until somebody has looked at it."""
    shown, withheld = (edition(CITIES, rule, before=shuffled(1)) for rule in (None, RULE))
    assert {claim.place for claim in withheld.claims} == {
        "finding", "holes", "composed", "absences.tiktok", "circumstances", "gaps",
    }  # fmt: skip
    cities = [value for claim in withheld.claims for value in claim.values.values() if isinstance(value, City)]
    assert cities == []
    ordered = {
        "narrative",
        "certainty",
        *(f"{kind}.{p}" for kind in ("leaders", "highlights") for p in PLATFORMS),
    }
    assert {claim.place for claim in shown.claims} > ordered


def test_with_ranks_shown_the_same_change_is_seen_in_every_kind_of_file(edition):
    """Else the test above would show nothing."""
    rule = EditionRule(month="2025-05", ranks="shown")
    one, other = (contents(edition(order, rule, before=CITIES)) for order in (CITIES, shuffled(2)))
    same = {name for name in one if one[name] == other[name]}
    stood = {city for city, moved in zip(CITIES, shuffled(2), strict=True) if city == moved}
    assert same == {f"cities/{city}.{language}.html" for city in stood for language in ("zh", "en")}
    assert contents(edition(CITIES, rule)) == contents(edition(CITIES, None))


def told(name, content):
    """What a file says to whoever opens it."""
    if name.endswith(".pdf"):
        with pypdfium2.PdfDocument(content) as document:
            return "\n".join(page.get_textpage().get_text_range() for page in document)
    if name.endswith(".xlsx"):
        cells = [cell for sheet in openpyxl.load_workbook(io.BytesIO(content)) for row in sheet.values for cell in row]
        return "\n".join(
            f"{cell!r} {cell:.2f} {cell:,}" if isinstance(cell, int | float) else str(cell) for cell in cells
        )
    return (
        pl.read_parquet(content).with_columns(pl.col("flags").list.join("|")).write_csv()
        if name.endswith(".parquet")
        else content.decode()
    )


def test_no_score_and_no_figure_behind_one_is_in_any_file(edition):
    files = contents(edition(CITIES, before=shuffled(1)))
    texts = {name: told(name, content) for name, content in files.items() if not name.endswith(".png")}
    known = [scores(place, index) for place in range(12) for index in INDICES]
    words = {f"{score:.2f}" for score in known} | {f"{score:.3f}" for score in known}
    words |= {
        form.format(start - n) for n in range(12) for start in (412_907, 98_765, 54_321) for form in ("{}", "{:,}")
    }
    assert [(name, word) for name, text in texts.items() for word in words if word in text] == []


def numbers(value, names):
    """Every value in a JSON document that is called by one of these names."""
    if isinstance(value, dict):
        found = [inner for name, inner in value.items() if name in names and not isinstance(inner, dict | list)]
        return found + [one for inner in value.values() for one in numbers(inner, names)]
    return [one for inner in value for one in numbers(inner, names)] if isinstance(value, list) else []


def test_the_json_has_no_rank_and_names_the_leading_cities_without_one(edition):
    told = json.loads(contents(edition(CITIES, before=shuffled(1)))["report.json"])
    assert set(numbers(told, {"rank", "previous_rank", "rank_change", "score", "places"})) == {None}
    assert set(numbers(told, {"tied", "entered", "compared"})) == {False}
    for name in ("quantitative", "qualitative", "composition", "risers", "fallers", "year"):
        assert not told[name]
    assert [(s["figures"], s["cases"]) for s in told["sections"]] == [([], [])] * 5
    assert told["withheld"]["reason"] == {"zh": "部分数据仍在核对", "en": "some data are still being checked"}
    for index in INDICES:
        listed = [city["city_id"] for city in told["withheld"]["leading"][index]]
        assert sorted(listed) == CITIES[:10]
        assert listed != sorted(listed)


def test_the_csv_lists_the_leading_cities_as_drawn_and_the_others_by_code_without_columns_of_ranks(edition):
    """An empty column of ranks would say that no city is ranked, which is not so."""
    context = edition(CITIES)
    rows = list(csv.DictReader(io.StringIO(contents(context)["rankings.csv"].decode())))
    assert list(rows[0]) == [
        "month", "index_name", "city_id", "name_zh", "name_en", "province", "status", "flags", "leading", "synthetic",
    ]  # fmt: skip
    for index in INDICES:
        listed = [row for row in rows if row["index_name"] == index]
        assert [row["city_id"] for row in listed] == [
            *(city.city_id for city in context.withheld.leading[index]),
            *CITIES[10:],
        ]
        assert [row["leading"] for row in listed] == ["true"] * 10 + ["false"] * 2
    assert "common_set" not in contents(context)["rankings.csv"].decode()


def test_no_file_for_print_or_excel_says_who_leads_rose_fell_or_shares_a_place(edition):
    """Before the method's own rules, which speak of ties and changes every month."""
    files = contents(edition(CITIES, before=shuffled(1)))
    for name, rules in (("report.pdf", "方法说明（m1）"), ("report.en.pdf", "Method (m1)")):
        text = told(name, files[name])
        assert TELLING.findall(text[: text.index(rules)]) == []
    for name in ("report.xlsx", "report.en.xlsx"):
        book = openpyxl.load_workbook(io.BytesIO(files[name]))
        for sheet in book.worksheets[:-1]:
            assert TELLING.findall("\n".join(str(cell) for row in sheet.values for cell in row)) == []
    assert not any(name.startswith(("charts/", "cities/")) for name in files)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_page_and_no_card_says_who_leads_rose_fell_or_shares_a_place(edition, language):
    """The method's own rules speak of ties and changes; they are the same every month."""
    context = edition(CITIES, before=shuffled(1))
    text = page(context, language)
    text = (
        text[text.index("<body>") : text.index('id="method"')] + text[text.index('id="gaps"') : text.index("<script")]
    )
    assert TELLING.findall(re.sub(r"<[^>]*>", " ", text)) == []
    assert 'class="rank' not in text
    assert "<svg" not in text
    for card in cards(context, language).values():
        assert TELLING.findall(card.bare) == []
        assert re.findall(r">\s*\d+\s*<", card.bare) == []


def test_the_page_says_in_both_languages_that_the_order_is_random_and_why(edition):
    zh, en = (edition(CITIES).sentences[language].finding for language in ("zh", "en"))
    assert re.fullmatch(
        "综合传播力指数前十城市为(.市、){9}.市，按随机顺序列出，不分先后。本期不公布名次与得分，原因：部分数据仍在核对。",
        zh,
    )
    assert zh.count("。") == 2
    assert en.startswith("The leading ten of the composite index, in random order, are ")
    assert en.endswith("Ranks and scores are withheld; the reason is this: some data are still being checked.")
    for language, caption in (("zh", "前十城市，随机排列。"), ("en", "the leading ten of the")):
        assert page(edition(CITIES), language).count(caption) == 6  # the composite and each platform


def test_every_monitored_city_is_listed_by_its_code(edition):
    text = page(edition(shuffled(5)), "zh")
    table = text[text.index('id="all"') : text.index('id="method"')]
    assert re.findall(r'data-value="(c\d\d)"', table) == CITIES
    assert "按城市代码排列" in table


def test_what_tells_no_order_stays(edition, posts_frame):
    text = page(edition(CITIES, top_posts=posts_frame(text="Spring in town")), "en")
    for kept in (
        "Spring in town",
        "#c07",
        "Platform weights of May 2025",
        "Counting rules",
        "sbx_echo",
        "Data snapshot",
    ):
        assert kept in text


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_card_lists_ten_names_gives_the_reason_and_reads_them_aloud(edition, language):
    context = edition(CITIES)
    cities = [city.name_zh if language == "zh" else city.name_en for city in context.withheld.leading["composite"]]
    card = cards(context, language)["composite"].bare
    assert re.findall(r'font-weight="700">([^<]*)</text>', card)[1:] == cities
    assert (RULE.reason_zh if language == "zh" else RULE.reason_en) in card
    described = re.search(r"<desc[^>]*>(.*)</desc>", card).group(1)
    assert [described.index(name) for name in cities] == sorted(described.index(name) for name in cities)


def test_a_card_of_a_platform_nobody_is_ranked_on_still_says_so(edition, rankings_frame):
    card = cards(edition(CITIES, rankings=rankings_frame([])), "en")["instagram"].bare
    assert "Instagram was not collected this month" in card


def test_with_a_shared_tenth_place_all_are_listed_and_the_card_counts_them(edition, rankings_frame, rank_row):
    rows = [rank_row("composite", city, min(place, 10), 90.0) for place, city in enumerate(CITIES, 1)]
    context = edition(CITIES, rankings=rankings_frame(rows))
    assert len(context.withheld.leading["composite"]) == 12
    assert "名次有并列，前列共12个城市，此处列出十个。" in cards(context, "zh")["composite"].bare


def test_a_month_with_nobody_ranked_says_that_and_not_that_ranks_are_withheld(edition, rankings_frame):
    said = edition(CITIES, rankings=rankings_frame([])).sentences["en"].finding
    assert said == "No city has a composite rank this month."


def test_over_many_months_the_true_first_is_no_more_often_first_than_others():
    """Of 1,200 draws of ten a tenth are expected, 120; five standard deviations are 52. None is drawn like the month before."""
    months = [Month.parse(f"{year}-{month:02d}") for year in range(2001, 2101) for month in range(1, 13)]
    orders = [tuple(drawn(CITIES[:10], month=month, version="m1", index_name="composite")) for month in months]
    for place in (0, 9):
        times = [sum(order[place] == city for order in orders) for city in CITIES[:10]]
        assert all(120 - 52 < count < 120 + 52 for count in times)
    assert len(set(orders)) == len(orders)


def test_the_draw_hangs_on_month_version_and_index_and_on_nothing_else():
    """Written down once: another machine, another Python or another order of the rows must not draw otherwise."""
    may = Month.parse("2025-05")
    one = drawn(CITIES[:10], month=may, version="m1", index_name="composite")
    assert one == ["c08", "c03", "c02", "c06", "c07", "c05", "c04", "c10", "c01", "c09"]
    assert drawn(reversed(CITIES[:10]), month=may, version="m1", index_name="composite") == one
    others = [
        drawn(CITIES[:10], month=may.next, version="m1", index_name="composite"),
        drawn(CITIES[:10], month=may, version="m2", index_name="composite"),
        drawn(CITIES[:10], month=may, version="m1", index_name="x"),
    ]
    assert one not in others


def test_the_archive_lists_the_leading_cities_but_no_first_three(edition, tmp_path):
    context = edition(CITIES)
    write_report(context, tmp_path / "2025-05")
    text = write_archive(tmp_path).read_text()
    assert "不公布名次" in text
    assert "Ranks withheld" in text
    assert "1 甲市" not in text
    assert context.sentences["zh"].finding in text
