"""The charts: marks where the numbers are, told apart without colour, their data in full, nothing that is not known."""

import re
import struct
from datetime import date
from xml.etree import ElementTree as ET

import polars as pl
import pytest

from smi_pipeline.months import Month
from smi_pipeline.registry.inputs import EditionRule
from smi_pipeline.report.charts import Chart, charts, city_year
from smi_pipeline.report.context import report
from smi_pipeline.report.palette import LIGHT

SVG = "{http://www.w3.org/2000/svg}"
EVIL = "<script>alert(1)</script>&\"'{{ 7*7 }}"

pytestmark = pytest.mark.usefixtures("light_font")


def drawn(chart):
    return ET.fromstring(f'<svg xmlns="http://www.w3.org/2000/svg">{chart.plot()}</svg>')


def texts(chart):
    return [text.text for text in drawn(chart).iter(f"{SVG}text")]


def lines(chart):
    """Stroke and points of each line of the year, in the order of drawing."""
    paths = [path for path in drawn(chart).iter(f"{SVG}path") if path.get("stroke-linejoin") and "L" in path.get("d")]
    return [(path.get("stroke"), re.findall(r"([ML])([\d.]+) ([\d.]+)", path.get("d"))) for path in paths]


@pytest.fixture
def year(rankings_frame, rank_row, given):
    """An edition with these ranks by city, one a month, the last May's; null where a city had none."""

    def build(ranks, **more):
        months = len(next(iter(ranks.values())))
        first = Month.parse("2025-05").plus(1 - months)
        rows = [
            (first.plus(place).first, city, rank, None, None, "final", "m1")
            for city, told in ranks.items()
            for place, rank in enumerate(told)
        ]
        frame = pl.DataFrame(rows, schema=given().composite_year.schema, orient="row")
        table = [rank_row("composite", city, told[-1], 90.0 - told[-1], told[-2]) for city, told in ranks.items()]
        return report(given(composite_year=frame, rankings=rankings_frame(table), **more))

    return build


def test_a_line_of_the_year_goes_through_its_ranks_and_breaks_where_there_is_none(year):
    """Ranks 1 to 10 have equal steps, the first month is left and the last right."""
    chart = charts(year({"c01": (3, 2, 1, 1), "c02": (1, None, 3, 2)}), "en")["bump"]
    told = dict(lines(chart))
    heights = [float(y) for _, _, y in told[LIGHT["navy"]]]  # Alpha is first
    assert heights[0] - heights[1] == pytest.approx(heights[1] - heights[2], abs=0.11)
    assert heights[2] == heights[3]
    [other] = [points for colour, points in told.items() if colour != LIGHT["navy"]]
    assert [letter for letter, _, _ in other] == ["M", "M", "L"]
    across = [float(x) for _, x, _ in told[LIGHT["navy"]]]
    assert across == sorted(across)


def test_three_lines_stand_out_by_colour_dashes_and_shape(year):
    """The climber into the ten, the first, and who moved farthest of the others."""
    ranks = {f"c{n:02d}": (n, n) for n in range(1, 11)} | {"c10": (14, 10), "c07": (12, 7), "c02": (2, 2)}
    chart = charts(year(ranks), "en")["bump"]
    bold = [text.text for text in drawn(chart).iter(f"{SVG}text") if text.get("font-weight") == "700"]
    assert bold == ["1 Alpha", "7 Golf", "10 Juliett"]
    strokes = {path.get("stroke"): path.get("stroke-dasharray") for path in drawn(chart).iter(f"{SVG}path")}
    assert {LIGHT["accent"], LIGHT["navy"], LIGHT["ink"]} <= set(strokes)
    assert strokes[LIGHT["ink"]]
    assert [line[0] for line in lines(chart)].count(LIGHT["bar"]) == 7


def test_a_rank_far_below_is_drawn_as_beyond_and_told_in_the_table(year):
    chart = charts(year({"c01": (57, 1), "c02": (20, 2)}), "en")["bump"]
    assert "> 20" in texts(chart)
    assert len([circle for circle in drawn(chart).iter(f"{SVG}circle") if circle.get("fill") == LIGHT["paper"]]) == 1
    assert chart.rows == (("Alpha", "57", "1"), ("Bravo", "20", "2"))
    assert chart.heads == ("City", "April 2025", "May 2025")


def test_months_that_do_not_compare_are_named(given):
    """March was not computed; February was provisional and of another version; April's ranks were withheld."""
    february = pl.col("month") == date(2025, 2, 1)
    frame = given().composite_year.with_columns(
        status=pl.when(february).then(pl.lit("provisional")).otherwise("status"),
        method_version=pl.when(february).then(pl.lit("m0")).otherwise("method_version"),
    )
    chart = charts(report(given(composite_year=frame, withheld_months=frozenset({Month.parse("2025-04")}))), "en")[
        "bump"
    ]
    assert "Not computed – March 2025." in chart.caption
    assert "Ranks withheld – April 2025." in chart.caption
    assert "Provisional – February 2025." in chart.caption
    assert "different method versions (m0 and m1)" in chart.caption
    assert {"(03)", "(04)", "02", "05"} <= set(texts(chart))


def test_one_month_alone_has_no_line(given):
    only = given().composite_year.filter(month=date(2025, 5, 1))
    context = report(given(composite_year=only))
    assert set(charts(context, "zh")) == {"giu", "intervals"}
    assert city_year(context, context.profiles[0], "zh") is None


def test_the_parts_of_a_score_are_as_long_as_their_points_and_their_numbers_add_up(given):
    """Alpha has 40 + 32.8 + 18.456 points; 484 units are 100 points, a gap of one after each part."""
    chart = charts(report(given()), "en")["giu"]
    bars = [rect for rect in drawn(chart).iter(f"{SVG}rect") if rect.get("height") == "25.0"]
    assert [float(bar.get("width")) + 1 for bar in bars] == pytest.approx([193.6, 158.8, 89.3], abs=0.06)
    assert [bar.get("fill") for bar in bars] == [LIGHT["navy"], LIGHT["ochre"], LIGHT["bar"]]
    assert chart.rows == (("Alpha", "40.00", "32.80", "18.46", "91.26"),)


def test_an_interval_spans_its_ranks_with_the_rank_marked_within(given):
    chart = charts(report(given()), "en")["intervals"]
    assert chart.rows == (("Alpha", "1", "1–2.5"),)
    [dot] = drawn(chart).iter(f"{SVG}circle")
    [bar] = [path for path in drawn(chart).iter(f"{SVG}path") if path.get("stroke-opacity")]
    begin, end = re.fullmatch(r"M([\d.]+) [\d.]+ H([\d.]+)", bar.get("d")).groups()
    assert begin == dot.get("cx")
    assert float(end) > float(begin)


def test_a_citys_year_shows_each_rank_and_its_interval(given):
    context = report(given())
    chart = city_year(context, context.profiles[3], "en")
    assert [text for text in texts(chart) if text in {"2", "3"}][-3:] == ["2", "2", "3"]
    spans = [path for path in drawn(chart).iter(f"{SVG}path") if path.get("stroke-opacity")]
    assert len(spans) == 3


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("name", ["bump", "giu", "intervals"])
def test_a_file_is_a_whole_picture_with_title_source_and_ink(given, name, language):
    chart = charts(report(given()), language)[name]
    root = ET.fromstring(chart.svg())
    said = [text.text for text in root.iter(f"{SVG}text")]
    assert said[0] == chart.title
    assert any("smi_pipeline" in text for text in said)
    picture = chart.png()
    assert struct.unpack(">II", picture[16:24]) == (2 * int(root.get("width")), 2 * int(root.get("height")))
    empty = Chart(
        **{field: getattr(chart, field) for field in Chart.__dataclass_fields__}
        | {"marks": (), "title": "", "caption": "", "source": ""}
    )
    assert len(picture) > 1.5 * len(empty.png())


def test_made_up_data_are_marked_in_the_file_and_in_its_description(given):
    chart = charts(report(given(synthetic=True)), "en")["bump"]
    said = [text.text for text in ET.fromstring(chart.svg()).iter(f"{SVG}text")]
    assert said.count("Made-up data, not real results") == 3
    assert chart.description.startswith("Made-up data, not real results.")
    assert "Made-up" not in charts(report(given()), "en")["bump"].svg()


def test_a_name_in_a_chart_stays_text(given):
    names = given().rankings.with_columns(name_zh=pl.lit(EVIL), name_en=pl.lit(EVIL))
    cities = given().cities.with_columns(name_zh=pl.lit(EVIL), name_en=pl.lit(EVIL))
    for chart in charts(report(given(rankings=names, cities=cities)), "zh").values():
        root = ET.fromstring(chart.svg())
        assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
            "svg", "title", "desc", "style", "rect", "text", "g", "path", "circle",
        }  # fmt: skip


def test_an_edition_without_ranks_has_no_chart(given):
    rule = EditionRule(month="2025-05", ranks="withheld", reason_zh="核对", reason_en="checks")
    assert charts(report(given(edition=rule)), "zh") == {}
