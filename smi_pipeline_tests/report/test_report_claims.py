"""Sentences from cases made by hand: what is said where, and that every figure said is a value of its claim."""

import re

import polars as pl
import pytest

from smi_pipeline.registry.models import PLATFORMS
from smi_pipeline.report.context import report
from smi_pipeline.report.formats import LANGUAGES, Formats
from smi_pipeline.report.sentences import Wording

CITIES = [f"c{n:02d}" for n in range(1, 13)]


@pytest.fixture
def ten(rankings_frame, rank_row):
    """A ranking of all twelve cities by the ranks of the month before; more rows of other indices may follow."""

    def build(index, before, *, ranks=range(1, 13)):
        rows = zip(CITIES, ranks, before, strict=True)
        return rankings_frame([rank_row(index, city, place, 100.0 - place, last) for city, place, last in rows])

    return build


@pytest.fixture
def figures(given):
    """metrics.city_platform_month of one platform: by city, the figures that differ from Delta's of conftest.py."""
    [row] = given().city_metrics.to_dicts()

    def build(platform, **cities):
        rows = [row | {"platform": platform, "city_id": city} | told for city, told in cities.items()]
        return pl.DataFrame(rows, schema=given().city_metrics.schema)

    return build


def said(context, place, language="zh"):
    return [claim.said[language] for claim in context.claims if claim.place == place]


NONE = [None] * 12
SAME = list(range(1, 13))


def came_from(place):
    """The ranks of the month before if only the first city overtook others."""
    return [place, *(before for before in SAME if before != place)]


def test_an_unchanged_leader_of_a_platform_is_said_to_have_kept_its_place(given, ten, figures):
    context = report(given(rankings=ten("facebook", SAME), city_metrics=figures("facebook", c01={})))
    assert said(context, "highlights.facebook") == [
        "甲市继续居脸书传播力指数首位，与上一监测周期持平，互动量41.29万次，互动率3,225.84。"
    ]
    assert said(context, "highlights.facebook", "en") == [
        (
            "Alpha still leads on Facebook, unchanged on the month before, with 412.9 thousand interactions"
            " at an engagement rate of 3,225.84."
        )
    ]


def test_up_five_is_worded_as_printed_and_other_numbers_of_places_in_their_own_way(given, ten):
    for before, places in ((6, "五位"), (3, "两位"), (2, "一位")):
        context = report(given(rankings=ten("x", came_from(before))))
        assert said(context, "highlights.x") == [f"甲市比上一监测周期上升{places}，列X平台传播力指数第一。"]


def test_a_shared_place_is_called_so(given, ten):
    """Charlie and Delta are third together; Charlie came from eighth."""
    before = [1, 2, 8, 3, 4, 5, 6, 7, 9, 10, 11, 12]
    context = report(given(rankings=ten("composite", before, ranks=[1, 2, 3, 3, *range(5, 13)])))
    assert "丙市排序并列第三，比上一监测周期上升五位。" in said(context, "narrative")
    assert "Charlie ranks joint 3rd, up 5 places on the month before." in said(context, "narrative", "en")


def test_who_else_entered_and_who_left_a_platforms_ten_is_told(given, ten):
    """Juliett came from 40th and is the city highlighted; India came from 11th; Kilo was 9th, Lima 10th."""
    context = report(given(rankings=ten("instagram", [1, 2, 3, 4, 5, 6, 7, 8, 11, 40, 9, 10])))
    assert said(context, "highlights.instagram") == [
        "癸市较上一监测周期提升显著（上升三十位），跻身照片墙传播力指数排序前十。"
    ]
    assert said(context, "remarks.instagram") == [
        "壬市也跻身照片墙传播力指数前十。",
        "子市、丑市退出照片墙传播力指数前十。",
    ]
    assert said(context, "remarks.instagram", "en") == [
        "India also entered the Instagram top ten.",
        "Kilo and Lima left the Instagram top ten.",
    ]


def test_one_interaction_and_one_place_are_singular(given, ten, figures):
    one = {"interactions": 1, "posts": 1, "engagement_rate": 1.0}
    context = report(given(rankings=ten("x", came_from(2)), city_metrics=figures("x", c01=one)))
    assert said(context, "highlights.x", "en") == [
        "Alpha drew 1 interaction at an engagement rate of 1, up 1 place on the month before to 1st on X."
    ]


def test_of_a_city_that_posted_nothing_no_rate_is_told(given, ten, figures):
    silent = {"posts": 0, "interactions": None, "engagement_rate": None}
    context = report(given(rankings=ten("facebook", NONE), city_metrics=figures("facebook", c01=silent)))
    assert said(context, "highlights.facebook") == ["甲市居脸书传播力指数首位，得分99.00。"]
    assert said(context, "remarks.facebook") == []


def test_the_best_rate_and_the_largest_growth_of_the_ten_are_told_of_those_who_have_them_alone(given, ten, figures):
    """The printed figure: 80,900 views over 4 videos; three cities are enough to compare, two are not."""
    rates = {
        "c01": {"views": 900, "view_rate": 90.0, "follower_growth": 5},
        "c02": {"views": 80900, "view_rate": 80900 / 4, "follower_growth": 2400},
        "c03": {"views": 700, "view_rate": 70.0, "follower_growth": -8},
    }
    context = report(given(rankings=ten("youtube", SAME), city_metrics=figures("youtube", **rates)))
    assert said(context, "remarks.youtube") == [
        "前十城市中，乙市的观看率最高，为20,225，视频观看量8.09万次。",
        "前十城市中，乙市的粉丝增加最多，增加2,400。",
    ]
    for fewer in (
        {city: rates[city] for city in ("c01", "c02")},  # too few to compare
        rates | {"c03": rates["c02"]},  # shared
        {
            city: told | {"view_rate": None, "follower_growth": -1} for city, told in rates.items()
        },  # unknown; nobody grew
    ):
        context = report(given(rankings=ten("youtube", SAME), city_metrics=figures("youtube", **fewer)))
        assert said(context, "remarks.youtube") == []


def test_a_city_outside_the_ten_is_not_compared_with_them(given, ten, figures):
    best = {"c01": {}, "c02": {}, "c03": {}, "c11": {"engagement_rate": 9999.0, "follower_growth": 10_000}}
    context = report(given(rankings=ten("facebook", SAME), city_metrics=figures("facebook", **best)))
    assert said(context, "remarks.facebook") == []


def test_the_first_month_says_nothing_of_the_month_before(given, ten):
    context = report(given(rankings=pl.concat([ten(index, NONE) for index in ("composite", *PLATFORMS)])))
    words = [sentence for claim in context.claims if claim.place != "gaps" for sentence in claim.said.values()]
    assert not [
        sentence for sentence in words if re.search("上一监测周期|上升|退出|跻身|month before|entered", sentence)
    ]
    assert "上一监测周期没有可比的综合排序，本期不列综合名次的升降。" in said(context, "gaps")


@pytest.mark.parametrize(("status", "told"), [("provisional", True), ("final", False)])
def test_a_provisional_edition_says_that_ranks_may_change(given, status, told):
    assert ("本期为暂定版，名次可能随终版变动。" in said(report(given(status=status)), "narrative")) is told


def test_with_all_platforms_missing_nothing_is_claimed_but_that(given):
    empty = {name: value.clear() for name, value in vars(given()).items() if isinstance(value, pl.DataFrame)}
    context = report(given(**empty))
    assert {claim.place for claim in context.claims} == {"finding", "holes", "gaps"}
    assert said(context, "finding") == ["本月没有城市获得综合排序。"]
    assert said(context, "holes") == ["脸书、X平台、照片墙、优兔、TikTok未能采集。"]
    assert len([sentence for sentence in said(context, "gaps") if "未采集" in sentence]) == 5


def test_the_holes_are_counted_in_short(given):
    """X and Instagram without a collection, one account missing, one city without a rank, one indicator suspended."""
    assert said(report(given()), "holes") == [
        "X平台、照片墙未能采集。",
        "询问的19个账号中，1个没有完整应答。",
        "1个城市未能参与综合排序。",
        "1项指标在一个平台上停用。",
    ]
    assert said(report(given()), "holes", "en")[1:3] == [
        "1 account of 19 asked did not answer in full.",
        "1 city could not be ranked.",
    ]


def test_without_holes_that_is_said(given, ten):
    covered = given().coverage.with_columns(
        collection_id=pl.lit("20250610T060000-x"), accounts_asked=pl.lit(4, pl.Int64)
    )
    whole = given(
        coverage=covered,
        outcomes=given().outcomes.clear(),
        indicator_score=given().indicator_score.clear(),
        rankings=ten("composite", NONE),
    )
    assert said(report(whole), "holes") == ["各平台均已采集，询问的20个账号均已应答。"]


def spans(given, **cities):
    """index.composite with these intervals of ranks."""
    [row] = given().composite.head(1).to_dicts()
    rows = [row | {"city_id": city, "rank_p05": low, "rank_p95": high} for city, (low, high) in cities.items()]
    return pl.DataFrame(rows, schema=given().composite.schema)


def test_a_leader_whose_interval_another_one_meets_is_not_called_safe(given, ten):
    rest = dict.fromkeys(CITIES[2:10], (3.0, 10.0))
    meeting = spans(given, c01=(1.0, 2.0), c02=(2.0, 3.0), **rest)
    context = report(given(rankings=ten("composite", SAME), composite=meeting))
    assert said(context, "certainty") == [
        "换用其他权重、换算与汇总方式抽样，甲市的名次区间为1–2，与乙市的区间重叠，先后不宜过分看重。",
        "前十城市的名次区间都不出前十。",
    ]


def test_a_leader_whom_no_interval_meets_and_a_tenth_that_may_be_twelfth(given, ten):
    rest = dict.fromkeys(CITIES[1:9], (2.0, 10.0))
    meeting = spans(given, c01=(1.0, 1.0), **rest, c10=(9.0, 12.0), c11=(10.0, 14.0))
    context = report(given(rankings=ten("composite", SAME), composite=meeting))
    assert said(context, "certainty", "en") == [
        "In nine of ten draws with other weights and scales Alpha ranks 1, and no other city's interval meets it.",
        (
            "Of the top ten, nine stay within the top ten in nine of ten such draws; not so Juliett, whose place among"
            " them depends on the choice of method."
        ),
    ]


def test_many_that_may_lead_are_counted(given, ten):
    context = report(
        given(rankings=ten("composite", SAME), composite=spans(given, **dict.fromkeys(CITIES, (1.0, 12.0))))
    )
    assert "与11个城市的区间重叠" in said(context, "certainty")[0]


def test_with_one_interval_unknown_the_ten_are_not_counted(given, ten):
    known = dict.fromkeys(CITIES[:9], (1.0, 3.0))
    told = said(report(given(rankings=ten("composite", SAME), composite=spans(given, **known))), "certainty")
    assert [sentence[:3] for sentence in told] == ["换用其"]


def test_without_intervals_nothing_is_said_of_how_firm_ranks_are(given, ten):
    bare = given().composite.with_columns(rank_p05=pl.lit(None, pl.Float64), rank_p95=pl.lit(None, pl.Float64))
    assert said(report(given(rankings=ten("composite", SAME), composite=bare)), "certainty") == []


def test_what_the_composite_is_made_of_is_said_with_its_weights(given):
    assert said(report(given()), "composed") == [
        (
            "综合传播力指数由各平台指数的加权和（脸书40.0%、X平台20.0%、照片墙20.0%、优兔20.0%）与专家评分构成，"
            "前者占80%，后者占20%。"
        )
    ]
    bare = given().composite.with_columns(qualitative=pl.lit(None, pl.Float64))
    assert "不含专家评分" in said(report(given(composite=bare)), "composed")[0]


def test_a_case_tells_its_hashtags_with_the_reach_of_the_month(given, posts_frame):
    """Delta is highlighted on Facebook. Tags nobody counted are left out; a tag is a whole word."""
    accounts = pl.DataFrame([("c04", "facebook", "sbx_delta", "100004")], schema=given().accounts.schema, orient="row")
    tags = given().hashtags.with_columns(reach=pl.lit(200_000, pl.Int64))
    posts = posts_frame(account_id="100004", text="A #ALPHA day, #alphabet #＃Beta#beta #unknown")
    [case] = report(given(accounts=accounts, hashtags=tags, top_posts=posts)).sections[0].cases
    assert [(tag.hashtag, tag.reach) for tag in case.hashtags] == [("alpha", 200_000), ("beta", 200_000)]


def figures_of(value):
    """Every number within a claim's value."""
    if isinstance(value, bool) or value is None:
        return []
    if isinstance(value, int | float):
        return [value]
    if isinstance(value, tuple):
        return [number for inner in value for number in figures_of(inner)]
    return [value.rank] if hasattr(value, "rank") else []


def writings(value):
    """All ways in which a sentence may write a number."""
    f, ways = Formats("en"), set()
    whole = round(value) if isinstance(value, float) else value
    ways |= {f.count(whole), f.spoken(whole).split(" ")[0], Formats("zh").spoken(whole).rstrip("万亿"), f.plain(value)}
    ways |= {f.score(value), f.rate(value), f.reached(value), f.interval((value, value))}
    ways |= {f.percent(value), f.percent_reached(value), f.whole_percent(value)}
    return {way.rstrip("%") for way in ways}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_figure_in_a_sentence_is_a_value_of_its_claim(given, experts_frame, language):
    """A sentence cannot state what its claim does not hold: report.json has both."""
    context = report(given(experts=experts_frame(alpha=0.6669, flags=["few_rated", "low_alpha"])))
    assert len(context.claims) > 15
    for claim in context.claims:
        allowed = set().union(*(writings(number) for value in claim.values.values() for number in figures_of(value)))
        words = re.sub(r"m\d|TOP10", "", claim.said[language])
        stated = re.findall(r"\d[\d,]*(?:\.\d+)?", words)
        assert {number.rstrip(",") for number in stated} <= allowed, (claim, stated)


def test_every_claim_has_a_condition_and_is_worded_from_nothing_but_its_values(given):
    for claim in report(given()).claims:
        assert claim.condition
        assert {language: Wording(language)(claim) for language in LANGUAGES} == claim.said
