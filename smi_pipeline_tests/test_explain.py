"""`smi explain` on the lake of the demo: what it says is held against the tables, worked out here by other ways."""

import base64
import hashlib
import re
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser

import polars as pl
import pytest
from smi import rows, smi

from smi_pipeline.defs.explanation import explanation_input
from smi_pipeline.lake.connection import Lake
from smi_pipeline.months import Month
from smi_pipeline.report import typeface
from smi_pipeline.report.explanation import explain
from smi_pipeline.report.explanation_page import page, write_explanation
from smi_pipeline.report.explanation_text import Words, explanation_text
from smi_pipeline.report.files import EditionError
from smi_pipeline.settings import settings

MAY = Month.parse("2025-05")
NINGBO, LIAOCHENG, WUHAN, LESHAN, BEIJING = "330200", "371500", "420100", "511100", "110000"
SOME = (NINGBO, LIAOCHENG, WUHAN, LESHAN, BEIJING, "510100", "310000", "130100", "610100", "520300")
NUMBER = r"([+−]?[\d,]+\.\d\d)"
LANGUAGES = ("zh", "en")
EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'\u202e\x1b[31m{{ 7*7 }}"


@pytest.fixture(scope="module")
def read(demo):
    """The frames of a city in May, read once each."""
    known = {}

    def frames(city, month=MAY):
        if (city, month) not in known:
            known[city, month] = explanation_input(Lake.of(demo[0]), month, settings(), city)
        return known[city, month]

    return frames


def told(given, language="zh"):
    return explanation_text(explain(given), language)


def number(text):
    return Decimal(text.replace(",", "").replace("−", "-"))


def exact(path, sql, city):
    """One number of May and a city."""
    return rows(path, f"{sql} where month = '2025-05-01' and city_id = '{city}'")[0][0]


def changed(given, frame, **columns):
    """The frame with columns of the explained city set; a list is put in whole."""

    def value(one):
        return pl.lit(pl.Series([one])).first() if isinstance(one, list) else pl.lit(one)

    own = pl.col("city_id") == given.city.city_id
    now = getattr(given, frame)
    new = {
        name: pl.when(own).then(value(one)).otherwise(pl.col(name)).cast(now.schema[name])
        for name, one in columns.items()
    }
    return replace(given, **{frame: now.with_columns(**new)})


# What the sentences say


@pytest.mark.parametrize("city", SOME)
@pytest.mark.parametrize(
    ("language", "total", "platform", "indicator", "experts"),
    [
        ("zh", rf"相加而成，合计{NUMBER}。", rf"^- .*(?:贡献|综合得分贡献){NUMBER}分。", rf"^  - .*贡献{NUMBER}分。$", rf"占综合得分的20%，贡献{NUMBER}分"),
        ("en", rf"which is {NUMBER}\.", rf"^- .*contributes {NUMBER}", rf"^  - .*contributes {NUMBER}\.$", rf"counts 20% and contributes {NUMBER}\."),
    ],
    ids=LANGUAGES,
)  # fmt: skip
def test_printed_contributions_add_up_to_the_printed_score(
    demo, read, city, language, total, platform, indicator, experts
):
    text = told(read(city), language)
    [score] = map(number, re.findall(total, text))
    sources, indicators = ([number(n) for n in re.findall(each, text, re.MULTILINE)] for each in (platform, indicator))
    [judged] = map(number, re.findall(experts, text))
    assert sum(sources) + judged == score
    assert sum(indicators) == sum(sources)
    assert abs(score - Decimal(exact(demo[0], "select score from index.composite", city))) <= Decimal("0.005")


@pytest.mark.parametrize("city", SOME)
def test_every_contribution_is_that_of_the_table_to_a_hundredth(demo, read, city):
    sql = f"select platform, indicator, contribution from index.contribution where month = '2025-05-01' and city_id = '{city}'"
    table = {(platform, indicator): value for platform, indicator, value in rows(demo[0], sql)}
    made = explain(read(city))
    parts = {
        (part.platform, one.indicator): one.contribution
        for part in made.platforms
        for one in part.indicators
        if one.contribution is not None
    } | {("expert", "expert"): made.experts.contribution}
    assert {key: amount.value for key, amount in parts.items()} == pytest.approx(table, abs=1e-12)
    assert all(abs(amount.shown - amount.value) < 0.0151 for amount in parts.values())
    for part in made.platforms:
        order = [one.contribution.value for one in part.indicators if one.contribution]
        assert order == sorted(order, reverse=True)


@pytest.mark.parametrize("city", [city for city in SOME if city not in {LESHAN, "520300"}])
@pytest.mark.parametrize(
    ("language", "change", "effects", "largest"),
    [
        ("zh", rf"月的{NUMBER}[升降]至{NUMBER}，变化{NUMBER}分", rf"其中，自身表现{NUMBER}分，平台权重{NUMBER}分，专家评分{NUMBER}分。", r"自身表现中变化最大的是(.*?)。"),
        ("en", rf"from {NUMBER} to {NUMBER}, a change of {NUMBER}\.", rf"performance makes {NUMBER}, the platform weights {NUMBER} and the experts {NUMBER}\.", r"largest parts of its performance are (.*?)\. The"),
    ],
    ids=LANGUAGES,
)  # fmt: skip
def test_printed_parts_of_a_change_add_up_to_it(demo, read, city, language, change, effects, largest):
    text = told(read(city), language)
    [(before, now, moved)] = [tuple(map(number, found)) for found in re.findall(change, text)]
    assert now - before == moved
    [parts] = [tuple(map(number, found)) for found in re.findall(effects, text)]
    assert sum(parts) == moved
    for effect, part in zip(("performance", "weight", "expert"), parts, strict=True):
        sql = f"select coalesce(sum(change), 0) from index.score_change where month = '2025-05-01' and city_id = '{city}' and effect = '{effect}'"
        assert abs(part - Decimal(rows(demo[0], sql)[0][0])) < Decimal("0.0151")
    assert sum(map(number, re.findall(NUMBER, re.search(largest, text)[1]))) == parts[0]


def test_the_largest_parts_of_a_change_are_named(demo, read):
    sql = (
        "select platform, indicator from index.score_change where month = '2025-05-01' and city_id = '330200'"
        " and effect = 'performance' order by abs(change) desc limit 3"
    )
    zh = {"x": "X平台", "instagram": "照片墙", "youtube": "优兔", "facebook": "脸书"}
    words = {"interactions": "互动量", "follower_growth": "粉丝增量", "engagement_rate": "互动率"}
    names = [zh[platform] + words[indicator] for platform, indicator in rows(demo[0], sql)]
    said = re.search(r"变化最大的是(.*?)，其余", told(read(NINGBO)))[1]
    assert [re.sub(r"[+−].*", "", part) for part in said.split("、")] == names


def test_the_standing_is_that_of_the_composite(demo, read):
    score = exact(demo[0], "select round(score, 2) from index.composite", NINGBO)
    ranked = rows(demo[0], "select count(rank) from index.composite where month = '2025-05-01'")[0][0]
    assert f"宁波在2025年5月的综合传播力指数中排序第四，得分{score}，共有{ranked}个城市参与排序。" in told(read(NINGBO))
    assert f"Ningbo ranks 4th of {ranked} cities in the composite index of May 2025, with {score} points." in told(
        read(NINGBO), "en"
    )
    assert "名次由第7升至第4，上升三位。" in told(read(NINGBO))


def test_the_interval_and_the_tier_are_those_of_the_draws(demo, read):
    sql = "select median_rank, rank_p05, rank_p95, tier, draws from index.rank_interval where city_id = '330200' and month = '2025-05-01'"
    [(median, low, high, tier, draws)] = rows(demo[0], sql)
    others = rows(
        demo[0],
        "select name_zh from index.rank_interval join index.city using (month, city_id)"
        f" where month = '2025-05-01' and tier = {tier} and city_id <> '330200' order by abs(rank - 4), rank",
    )
    text = told(read(NINGBO))
    assert f"抽样{draws:,}次，名次的中位数为{median:g}，九成落在第{low:g}至第{high:g}名之间" in text
    assert f"抽样不能把它与{'、'.join(name for (name,) in others)}区分开，它们同属第{tier}档" in text


def test_the_best_posts_are_those_that_stand_for_most_points(demo, read):
    """From the composite's contributions and the posts' shares; every city of the demo has one account a platform."""
    sql = """
    with worth as (
        select platform,
            sum(contribution) filter (indicator in ('interactions', 'engagement_rate')) as reactions,
            sum(contribution) filter (indicator in ('views', 'view_rate')) as views
        from index.contribution where month = '2025-05-01' and city_id = '330200' group by platform
    ),
    posts as (
        select told.*, sum(interactions) over w as all_interactions, sum(views) filter (is_video) over w as all_views
        from staging.stg_posts as told
        where month = '2025-05-01' and not is_repost and (platform, account_id) in
            (select (platform, account_id) from index.account where city_id = '330200' and in_index and month = '2025-05-01')
        window w as (partition by platform)
    )
    select post_id, interactions / all_interactions * reactions
        + if(is_video, coalesce(posts.views / all_views * worth.views, 0), 0) as points
    from posts join worth using (platform) order by points desc limit 5
    """
    expected = rows(demo[0], sql)
    best = explain(read(NINGBO)).posts
    assert [one.post.post_id for one in best] == [post for post, _ in expected]
    assert [one.points for one in best] == pytest.approx([points for _, points in expected])
    assert len(re.findall(r"约合[\d.]+分。", told(read(NINGBO)))) == 5


def test_a_suspended_account_is_told_with_what_stands_in_for_it(demo, read):
    text = told(read(LIAOCHENG))
    [(detail,)] = rows(
        demo[0],
        "select detail from staging.stg_account_outcomes where month = '2025-05-01' and platform = 'x' and outcome = 'suspended'",
    )
    assert f"X平台账号@sbx_liaocheng，账号被停用；平台原话为“{detail}”。" in text
    assert "X平台沿用上月数据的指标为粉丝数、互动量、互动率、帖数、视频数。" in text
    assert "X平台未能观测的指标为粉丝增量。" in text
    assert "粉丝增量未能观测，不计分。" in text
    assert re.search(r"互动量未能观测，沿用上月的98，得28\.84分，贡献\d", text)
    assert "没有官方账号的平台为脸书、照片墙。" in text
    assert not any(one.platform == "x" for one in explain(read(LIAOCHENG)).posts)
    assert f"account suspended; in the platform's words “{detail}”." in told(read(LIAOCHENG), "en")


def test_a_rank_that_counts_in_the_common_set_is_said_so(read):
    """117th of fewer cities, 121st of more, and up one place among those ranked in both months."""
    assert "在两个月共同排序的城市中，名次上升一位；列出的名次上月为第117，本月为第121。" in told(read(LIAOCHENG))


def test_a_platform_that_does_not_count_gives_nothing_and_says_why(read):
    text = told(read(LIAOCHENG))
    assert (
        "在该平台的26个城市中排序第二十二，不贡献综合得分。TikTok不计入综合指数：账号覆盖率18.8%，低于30%的进入标准。"
        in text
    )
    part = explain(read(LIAOCHENG)).platforms[-1]
    assert (part.platform, part.contribution) == ("tiktok", None)
    assert all(one.contribution is None and one.points is not None for one in part.indicators)


def test_a_city_without_an_account_has_zero_and_no_rank(read):
    zh, en = (told(read(LESHAN), language) for language in LANGUAGES)
    assert "乐山在2025年5月的综合传播力指数中未排序，得分9.22" in zh
    assert "该城市在任何平台都没有纳入指数的官方账号。" in zh
    assert zh.count("没有纳入指数的官方账号，计零分；") == 4
    assert "未排序的城市不与上月比较。" in zh
    assert "本月没有可以折算为综合得分的帖文。" in zh
    assert "没有官方账号的平台为脸书、X平台、照片墙、优兔、TikTok。" in zh
    assert "It has no official account in the index on any platform." in en
    assert explain(read(LESHAN)).interval is None
    assert "抽样" not in zh


def test_a_renamed_account_is_followed_and_told(read):
    assert "X平台账号@sbx_wuhan，账号已改名；平台原话为“renamed: the handle is now sbx_visitwuhan”。" in told(
        read(WUHAN)
    )
    [x] = [part for part in explain(read(WUHAN)).platforms if part.platform == "x"]
    assert x.state == "counted"


def test_a_first_month_has_nothing_to_compare_with(read):
    text = told(read(NINGBO, Month.parse("2025-04")))
    assert "没有可比的上月得分。没有可比的上月名次，不列升降。" in text
    assert "变化" not in text.replace("较上月的变化", "")


# What other months would say: the same frames with one thing changed


def test_a_shared_place_is_called_shared(read):
    given = read(NINGBO)
    tied = replace(
        given, composite=given.composite.with_columns(rank=pl.when(pl.col("rank") == 5).then(4).otherwise("rank"))
    )
    assert "中并列第四，" in told(tied)
    assert "Ningbo shares 4th place among" in told(tied, "en")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["insufficient"], "被观测到的平台权重为50.0%，低于排序所需的66.7%。"),
        (["no_expert_score"], "该城市没有专家评分"),
    ],
)
def test_why_a_city_is_not_ranked_is_said(read, flags, said):
    unranked = changed(read(NINGBO), "composite", rank=None, flags=flags, observed_weight=0.5)
    assert said in told(unranked)
    assert "未排序的城市不与上月比较。" in told(replace(unranked, score_change=unranked.score_change.clear()))


def test_a_city_without_a_score_has_nothing_that_adds_up(read):
    given = changed(read(NINGBO), "composite", rank=None, score=None, quantitative=None, qualitative=None)
    given = replace(given, contribution=given.contribution.clear())
    assert "中没有得分，未排序" in told(given)
    assert "本期为终版，按方法版本m1计算。" in told(given)
    assert "相加而成" not in told(given)


def test_a_provisional_month_names_the_measured_part_alone(read):
    given = read(NINGBO)
    bare = replace(
        given,
        composite=given.composite.with_columns(status=pl.lit("provisional"), qualitative=pl.lit(None, pl.Float64)),
        contribution=given.contribution.filter(pl.col("platform") != "expert"),
        score_change=given.score_change.filter(pl.col("effect") != "expert"),
        experts=given.experts.with_columns(released=False, alpha=0.6, flags=pl.lit(pl.Series([["low_alpha"]])).first()),
    )
    text = told(bare)
    assert "综合传播力指数（定量部分）" in text
    assert "得分只含定量部分" in text
    assert "本期的专家评分尚未发布，不计入得分。评分专家的一致性（克里彭多夫α系数）为0.600，未达到" in text
    assert re.search(r"其中，自身表现\+[\d.]+分，平台权重[\d.]+分。", text)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["new"], "该城市上月没有纳入指数的账号，没有可比的得分。"),
        (["status_changed"], "两个月的状态不同，得分不作比较。"),
        (["changed_set"], "两个月可用的指标不同，得分不作比较。"),
        ([], "没有可比的上月得分。"),
    ],
)
def test_why_two_months_do_not_compare_is_said(read, flags, said):
    given = changed(read(NINGBO), "composite", flags=flags, previous_rank=None, rank_change=None)
    given = replace(given, score_change=given.score_change.clear())
    assert said in told(given)
    assert "上月没有名次，不列升降。" in told(given)


@pytest.mark.parametrize(
    ("rank", "said"),
    [
        (6, "若沿用上月的平台权重，本月名次为第6，权重的变动使其上升两位。"),
        (3, "若沿用上月的平台权重，本月名次为第3，权重的变动使其下降一位。"),
        (4, None),
        (None, None),
    ],
)
def test_the_rank_under_last_months_weights_is_said_where_it_differs(read, rank, said):
    text = told(changed(read(NINGBO), "composite", rank_at_previous_weights=rank))
    assert (said in text) if said else ("若沿用" not in text)


def test_what_the_weights_did_is_named_where_it_is_worth_a_hundredth(read):
    given = read(NINGBO)
    own = (pl.col("effect") == "weight") & (pl.col("platform") == "x")
    moved = replace(
        given, score_change=given.score_change.with_columns(change=pl.when(own).then(-0.5).otherwise("change"))
    )
    assert "平台权重的影响中最大的是" not in told(given)
    assert "平台权重的影响中最大的是X平台−0.50分。" in told(moved)
    assert "The largest parts of the weights' effect are X −0.50." in told(moved, "en")


def test_an_interval_of_one_rank_a_rank_outside_it_and_a_city_alone_are_said(read):
    given = changed(read(NINGBO), "rank_interval", rank_p05=5.0, rank_p95=5.0, tier=99)
    text = told(given)
    assert "九成为第5名" in text
    assert "公布的第4名不在这一区间之内。" in text
    assert "抽样把它与其他城市区分开来，第99档只有它一个城市。" in text
    assert "公布的第" not in told(read(NINGBO))


def test_a_large_tier_is_told_by_its_nearest_cities(demo, read):
    [(tier, others)] = rows(
        demo[0],
        "select tier, count(*) - 1 from index.rank_interval where month = '2025-05-01' and tier ="
        " (select tier from index.rank_interval where month = '2025-05-01' and city_id = '371500') group by tier",
    )
    said = re.search(
        rf"抽样不能把它与同属第{tier}档的其他{others}个城市区分开，名次最近的是(.*?)。", told(read(LIAOCHENG))
    )
    assert len(said[1].split("、")) == 8


@pytest.mark.parametrize(
    ("collected", "said"), [(True, "X平台的账号未能观测，没有该平台的得分；"), (False, "X平台本月未采集；")]
)
def test_an_unobserved_platform_gives_its_weight_to_the_others(read, collected, said):
    given = read(NINGBO)
    off = pl.col("platform") == "x"
    weight = given.platform_weight.filter(off)["weight"][0]
    silent = changed(given, "composite", observed_weight=1 - weight)
    silent = replace(
        silent,
        platform_index=given.platform_index.with_columns(
            score=pl.when(off & (pl.col("city_id") == NINGBO)).then(None).otherwise("score")
        ),
        contribution=given.contribution.filter(~off),
        collections=given.collections.filter(~off | pl.lit(value=collected)),
    )
    text = told(silent)
    assert f"{said}平台权重15.1%转给该城市的其他平台。" in text
    facebook = given.platform_weight.filter(platform="facebook")["weight"][0]
    assert f"因有平台未能观测，脸书的权重对该城市实际为{100 * facebook / (1 - weight):.1f}%。" in text
    assert ("X平台本月未采集，不列该平台的数据。" in text) is not collected


def test_a_suspended_and_a_silent_indicator_say_why_they_are_worth_what_they_are(read):
    given = read(NINGBO)
    growth, rate = (
        (pl.col("platform") == "x") & (pl.col("indicator") == name) for name in ("follower_growth", "engagement_rate")
    )
    altered = replace(
        given,
        indicator_score=given.indicator_score.with_columns(
            value=pl.when(growth | rate).then(None).otherwise("value"),
            score=pl.when(growth).then(None).when(rate).then(0.0).otherwise("score"),
            weight=pl.when(growth).then(None).otherwise("weight"),
            flags=pl.when(growth).then(pl.lit(pl.Series([["suspended"]])).first()).otherwise("flags"),
        ),
        contribution=given.contribution.filter(~growth),
    )
    text = told(altered)
    assert "粉丝增量本月在该平台停用，不计分。" in text
    assert "互动率因当月没有帖文或视频而计0.00分" in text
    assert "X平台停用的指标：粉丝增量。" in text


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (
            {"raters": 1, "sd": None, "flags": ["few_raters", "rerate"]},
            "1名专家为该城市评分，给出7.25分（1至10分制）。",
        ),
        ({"flags": ["few_raters", "rerate"]}, "评分专家不足3名，该城市须重新评分。"),
        ({"flags": ["rerate", "wide_spread"]}, "评分的标准差超过2.5分，该城市须重新评分。"),
        (
            {"raters": 0, "mean": None, "sd": None, "carried": 2},
            "本月没有专家为该城市评分。沿用2个月前的专家评分69.44分",
        ),
    ],
)
def test_how_firm_the_expert_score_is_is_said(read, columns, said):
    assert said in told(changed(read(NINGBO), "expert_city", **columns))


def test_several_accounts_share_their_platforms_points(read):
    given = read(NINGBO)
    own = given.account_contribution.filter(platform="x")
    second = own.with_columns(account_id=pl.lit("77"), contribution=0.25 * pl.col("contribution"))
    split = pl.concat([own.with_columns(contribution=0.75 * pl.col("contribution")), second])
    both = replace(given, account_contribution=split)
    [found] = re.findall(
        rf"X平台贡献的{NUMBER}分来自2个账号，即@sbx_ningbo（{NUMBER}分）、@77（{NUMBER}分）。", told(both)
    )
    whole, first, other = map(number, found)
    assert first + other == whole
    assert abs(other - whole / 4) < Decimal("0.011")
    assert "来自" not in told(given).replace("名次从何而来", "").replace("得分来自哪些账号", "")


def test_a_city_of_which_all_is_known_has_no_gap(read):
    given = read(NINGBO)
    known = given.accounts.with_columns(platform=pl.lit("tiktok")).head(1)
    whole = replace(given, accounts=pl.concat([given.accounts, known]))
    assert "没有已知的数据缺口。" in told(whole)


# The command and the page


def test_a_month_that_is_published_without_ranks_says_whom_this_is_for(read):
    given = read("330200")
    assert "不公布名次" not in told(given)
    assert told(replace(given, withheld=True)).splitlines()[2] == "本期不公布名次与得分，以下内容供内部查阅。"
    assert "not for publication" in told(replace(given, withheld=True), "en")


def test_a_page_that_cannot_be_written_is_a_clear_error(read, tmp_path, light_font):
    (tmp_path / "explained").write_text("in the way")
    with pytest.raises(EditionError, match="cannot be written there"):
        write_explanation(explain(read(LESHAN)), tmp_path / "explained" / "2025-05")


def test_the_command_says_it_in_both_languages_and_leaves_the_edition_alone(demo, tmp_path):
    path, _ = demo
    before = {file: file.read_bytes() for file in sorted((path / "reports").rglob("*")) if file.is_file()}
    done = smi("explain", "2025-05", "NINGBO", "--lang", "both", "--page", "--lake", path, measured=True)
    assert done.returncode == 0, done.stderr
    assert "宁波：2025年5月的名次从何而来" in done.stdout
    assert "Where the rank of Ningbo in May 2025 comes from" in done.stdout
    for language in LANGUAGES:
        file = path / "explained" / "2025-05" / f"{NINGBO}.{language}.html"
        assert f"page: {file}" in done.stdout
        assert file.read_text(encoding="utf-8").count("url(data:font/woff;base64,") == 2
    assert {file: file.read_bytes() for file in sorted((path / "reports").rglob("*")) if file.is_file()} == before


@pytest.mark.parametrize(
    ("month", "city", "code", "said"),
    [
        ("2025-05", "Ningboo", 1, "no monitored city has the id or name 'Ningboo'; near it: 宁波 Ningbo (330200)"),
        ("2025-05", "Atlantis", 1, "no monitored city has the id or name 'Atlantis'"),
        ("2025-03", NINGBO, 1, "2025-03 is not derived"),
        ("2025-13", NINGBO, 2, "2025-13"),
    ],
)
def test_what_cannot_be_explained_is_one_clear_line(demo, month, city, code, said):
    done = smi("explain", month, city, "--lake", demo[0])
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    if code == 1:
        assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("asked", ["330200", "宁波", "ningbo", "  NingBo "])
def test_a_city_is_found_by_its_id_and_names_whatever_their_case(read, asked):
    assert read(asked).city.city_id == NINGBO


def test_a_name_of_two_cities_asks_for_the_id(read):
    from smi_pipeline.report.explanation import UnknownCityError, find_city  # noqa: PLC0415

    cities = read(NINGBO).cities.with_columns(
        name_en=pl.when(pl.col("city_id") == LESHAN).then(pl.lit("Ningbo")).otherwise("name_en")
    )
    with pytest.raises(
        UnknownCityError, match=r"2 cities: 宁波 Ningbo \(330200\), 乐山 Ningbo \(511100\); give the id"
    ):
        find_city(cities, "Ningbo")


class Page(HTMLParser):
    """Start tags, and the words outside style sheets and others' texts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self._open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if data.strip() and not {"style", "bdi"} & set(self._open):
            self.words.append(data.strip())


@pytest.fixture
def light_font(monkeypatch):
    faces = typeface.page_css("SMI")
    monkeypatch.setattr(typeface, "page_css", lambda _: faces)


@pytest.mark.usefixtures("light_font")
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("city", [NINGBO, LIAOCHENG, LESHAN])
def test_the_page_has_the_reports_manners(read, city, language):
    text = page(explain(read(city)), language)
    parsed = Page(text)
    names = [name for name, _ in parsed.tags]
    assert "script" not in names
    assert names.count("h1") == 1
    assert names.count("caption") == names.count("table")
    assert all(attrs.get("scope") in {"col", "row"} for name, attrs in parsed.tags if name == "th")
    ids = [attrs["id"] for _, attrs in parsed.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert ("a", {"class": "language", "href": f"{city}.{'en' if language == 'zh' else 'zh'}.html", "hreflang": "en" if language == "zh" else "zh-CN", "lang": "en" if language == "zh" else "zh-CN"}) in parsed.tags  # fmt: skip
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    [policy] = [attrs["content"] for _, attrs in parsed.tags if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert f"style-src 'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none'")
    assert 'class="synthetic"' in text
    if city != LESHAN:
        assert ("计数日期：2025年6月10日" if language == "zh" else "Counted on 10 June 2025") in text
    assert ("合成数据" if language == "zh" else "synthetic data") in re.search(r"<title>(.*?)</title>", text)[1]


@pytest.mark.usefixtures("light_font")
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pages_tables_add_up(read, language):
    text = page(explain(read(NINGBO)), language)
    standing, platforms, change = (
        text[text.index(f'<section id="{name}"') :].split("</section>")[0]
        for name in ("standing", "platforms", "change")
    )
    *parts, score = (number(n) for n in re.findall(rf'class="number">(?:<b>)?{NUMBER}(?:</b>)?</td></tr>', standing))
    assert sum(parts) == score
    *moved, total = (number(n) for n in re.findall(rf'class="number">(?:<b>)?{NUMBER}(?:</b>)?</td></tr>', change))
    assert sum(moved) == total
    sums = []
    for table in platforms.split("<table")[1:]:
        found = re.findall(rf'<td class="number">(?:<b>)?{NUMBER}(?:</b>)?</td><td class="wide-bar">', table)
        *indicators, platform = map(number, found)
        assert sum(indicators) == platform
        sums.append(platform)
    assert sums == parts[:-1]


@pytest.mark.usefixtures("light_font")
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_strangers_wrote_is_only_text_on_page_and_terminal(read, language):
    given = read(LIAOCHENG)
    hostile = replace(
        given,
        city=replace(given.city, name_zh=EVIL.replace("\u202e\x1b", ""), name_en=EVIL.replace("\u202e\x1b", "")),
        posts=given.posts.with_columns(text=pl.lit(EVIL), permalink=pl.lit("javascript:alert(1)"), kind=pl.lit(EVIL)),
        outcomes=given.outcomes.with_columns(handle=pl.lit(EVIL), detail=pl.lit(EVIL)),
    )
    made = explain(hostile)
    text = page(made, language)
    names = {name for name, _ in Page(text).tags}
    assert not {"script", "img"} & names
    assert not any(name.startswith("on") for _, attrs in Page(text).tags for name in attrs)
    for shown in (text, explanation_text(made, language)):
        assert "javascript:" not in shown
        assert "\u202e" not in shown
        assert "\x1b" not in shown
        assert "{{ 7*7 }}" in shown


@pytest.mark.usefixtures("light_font")
def test_a_real_month_stands_without_the_mark_of_made_up_data(read):
    made = explain(replace(read(NINGBO), synthetic=False))
    assert "合成数据" not in page(made, "zh")
    assert "合成数据" not in explanation_text(made, "zh")


@pytest.mark.parametrize("city", SOME)
def test_chinese_is_set_as_newspapers_set_it(read, city):
    said = [sentence for section in Words(explain(read(city)), "zh").sections() for sentence in section.sentences]
    lines = [line for section in Words(explain(read(city)), "zh").sections() for part in section.lists for line in part]
    lines = [line for line in lines if line.endswith("。") and "平台原话" not in line]
    for text in said + lines:
        assert not re.search(r"[一-鿿] [0-9A-Za-z]|[0-9A-Za-z%] [一-鿿]|[，。；：（）、] | [，。；：（）、]", text), (
            text
        )
        assert not re.search(r"[一-鿿][,;:?!()]|[,;:?!()][一-鿿]", text), text


def test_the_same_explanation_is_written_in_the_same_bytes(read, tmp_path):
    made = explain(read(LESHAN))
    once, twice = (write_explanation(made, tmp_path / name) for name in ("a", "b"))
    assert [file.read_bytes() for file in once] == [file.read_bytes() for file in twice]
    assert sorted(file.name for file in (tmp_path / "a").iterdir()) == ["511100.en.html", "511100.zh.html"]
