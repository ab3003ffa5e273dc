"""From frames to content: every value here was worked out by hand from conftest.py."""

from datetime import date

import polars as pl
import pytest

from smi_pipeline.index.method import load_method
from smi_pipeline.report.content import Change
from smi_pipeline.report.context import report
from smi_pipeline.report.pages import posts_collected
from smi_pipeline.sums import LARGEST


def by_city(ranking):
    return {entry.city.city_id: entry for entry in ranking.entries}


def test_the_composite_is_ordered_by_rank_and_unranked_cities_come_last(given):
    entries = report(given()).composite.entries
    assert [entry.city.city_id for entry in entries] == [f"c{n:02d}" for n in range(1, 13)]
    assert entries[-1].rank is None
    assert entries[-1].flags == ("no_account",)


def test_equal_ranks_are_marked_as_ties(given):
    tied = [entry.city.city_id for entry in report(given()).composite.entries if entry.tied]
    assert tied == ["c03", "c04"]


def test_ten_is_a_rank_not_a_number_of_rows(given, rankings_frame, rank_row):
    rows = [rank_row("composite", f"c{n:02d}", min(n, 10), 90.0 - min(n, 10)) for n in range(1, 13)]
    top = report(given(rankings=rankings_frame(rows))).composite.top
    assert len(top) == 12
    assert [entry.rank for entry in top[-3:]] == [10, 10, 10]


@pytest.mark.parametrize(
    ("city", "change"),
    [
        ("c01", Change("same", 0, entered=False)),
        ("c02", Change("up", 3, entered=False)),
        ("c04", Change("down", -1, entered=False)),
        ("c07", Change("new", None, entered=True)),
        ("c10", Change("up", 3, entered=True)),
        ("c11", Change("down", -1, entered=False)),
        ("c12", Change("not_computed", None, entered=False)),
    ],
)
def test_a_change_says_what_the_two_ranks_say(given, city, change):
    assert by_city(report(given()).composite)[city].change == change


def test_without_the_month_before_nothing_is_called_new(given):
    """A first month has no newcomers: nobody was there before because nobody looked."""
    first = given(rankings=given().rankings.with_columns(previous_rank=None, rank_change=None))
    ranking = report(first).composite
    assert not ranking.compared
    assert {entry.change.kind for entry in ranking.entries} == {"not_computed"}


def test_a_rank_that_cannot_be_compared_is_no_change(given, rankings_frame, rank_row):
    rows = [rank_row("composite", "c01", 1, 9.0, 1), rank_row("composite", "c02", 2, 8.0, 12, rank_change=None)]
    entry = by_city(report(given(rankings=rankings_frame(rows))).composite)["c02"]
    assert entry.change == Change("not_computed", None, entered=False)


def test_a_city_that_is_monitored_but_in_no_ranking_is_still_listed(given, rankings_frame, rank_row):
    only = rankings_frame([rank_row("composite", "c01", 1, 9.0)])
    entries = report(given(rankings=only)).composite.entries
    assert len(entries) == 12
    assert {entry.rank for entry in entries[1:]} == {None}


def test_the_finding_names_the_leader_and_the_newcomers(given):
    sentences = report(given()).sentences
    assert (
        sentences["zh"].finding == "甲市继续居综合传播力指数首位，与上一监测周期持平，得分91.26；庚市、癸市跻身前十。"
    )
    assert sentences["en"].finding == (
        "Alpha still leads the composite index, unchanged on the month before, with 91.26 points; "
        "Golf and Juliett entered the top ten."
    )


def test_two_leaders_are_named_together(given, rankings_frame, rank_row):
    rows = [rank_row("composite", "c01", 1, 9.0), rank_row("composite", "c02", 1, 9.0)]
    sentences = report(given(rankings=rankings_frame(rows))).sentences
    assert sentences["zh"].finding == "甲市、乙市并列综合传播力指数首位，得分9.00。"
    assert sentences["en"].finding == "Alpha and Bravo share the lead of the composite index with 9.00 points each."


def test_without_a_ranked_city_the_finding_says_so(given):
    empty = report(given(rankings=given().rankings.clear()))
    assert empty.sentences["en"].finding == "No city has a composite rank this month."
    assert empty.sentences["zh"].narrative == ()


def test_without_expert_scores_the_index_is_called_quantitative(given):
    bare = given().composite.with_columns(qualitative=pl.lit(None, pl.Float64))
    context = report(given(composite=bare, status="provisional"))
    assert context.quantitative_only
    assert "综合传播力指数（定量部分）" in context.sentences["zh"].finding


def test_a_marked_climb_into_the_top_ten_is_worded_as_published(given):
    """Delta came from 14th to 2nd: twelve places, 412,907 interactions over 128 posts."""
    assert report(given()).sentences["zh"].highlights["facebook"] == (
        "丁市互动量达41.29万次，互动率3,225.84，较上一监测周期提升显著（上升十二位），跻身上述维度排序前十。"
    )


def test_without_figures_or_a_month_before_only_the_first_place_is_told(given):
    assert report(given()).sentences["en"].highlights["youtube"] == "Bravo leads on YouTube with 50.00 points."


def test_why_tiktok_is_left_out_comes_from_the_coverage_rule(given):
    absences = report(given()).sentences["zh"].absences
    assert absences == {"tiktok": "TikTok不计入综合指数：12个监测城市中2个设有账号，覆盖率16.7%，低于30%的进入标准。"}


def test_an_eligible_tiktok_is_not_called_left_out(given):
    weights = given().platform_weight.with_columns(eligible=pl.lit(value=True))
    assert report(given(platform_weight=weights)).sentences["zh"].absences == {}


def test_enough_coverage_for_too_short_a_time_is_another_reason(given):
    tiktok = pl.col("platform") == "tiktok"
    weights = given().platform_weight.with_columns(coverage=pl.when(tiktok).then(0.5).otherwise("coverage"))
    said = report(given(platform_weight=weights)).sentences["en"].absences["tiktok"]
    assert said.endswith("coverage of 50.0% has not yet been at 30% or above for 3 months in a row.")


def test_a_platform_before_its_first_month_has_no_section(given):
    method = load_method("m1").model_copy(update={"platforms_from": {"tiktok": "2025-06"}})
    assert [s.platform for s in report(given(method=method)).sections] == ["facebook", "x", "instagram", "youtube"]


def test_contributions_are_added_up_per_platform(given):
    [alpha] = report(given()).composition
    assert alpha.points == {"facebook": pytest.approx(72.8), "expert": 18.456}
    assert sum(alpha.points.values()) == pytest.approx(alpha.score)


def test_contributions_are_added_up_per_group_of_indicators(given):
    """Posts belong to Generate, followers to Utilize; the experts are a part of their own."""
    [alpha] = report(given()).composition
    assert alpha.groups == {"generate": 40.0, "utilize": 32.8, "expert": 18.456}


def ten(rank_row, before):
    """Ten ranked cities, then two more; `before` gives last month's ranks."""
    cities = [f"c{n:02d}" for n in range(1, 13)]
    return [
        rank_row("composite", city, place, 100.0 - place, last)
        for place, (city, last) in enumerate(zip(cities, before, strict=True), 1)
    ]


def test_the_ten_are_named_in_their_order_and_who_left_them_is_told(given, rankings_frame, rank_row):
    """Kilo was 9th and is 11th now; Juliett came up from 12th."""
    rows = ten(rank_row, [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 9, 11])
    said = report(given(rankings=rankings_frame(rows))).sentences
    assert (
        said["zh"].narrative[1]
        == "综合传播力指数前十依次为甲市、乙市、丙市、丁市、戊市、己市、庚市、辛市、壬市、癸市。"
    )
    assert said["zh"].narrative[-1] == "子市退出前十。"
    assert said["en"].narrative[-1] == "Kilo left the top ten."


def test_a_city_unchanged_and_one_up_five_are_worded_as_printed(given, rankings_frame, rank_row):
    rows = ten(rank_row, [1, 2, 8, 3, 4, 5, 6, 7, 9, 10, 11, 12])
    narrative = report(given(rankings=rankings_frame(rows))).sentences["zh"].narrative
    assert "丙市排序第三，比上一监测周期上升五位。" in narrative
    assert "甲市、乙市、壬市、癸市与上一监测周期持平。" in narrative
    assert not any("退出" in sentence or "跻身" in sentence for sentence in narrative)


def test_shared_places_are_not_said_to_be_in_order(given):
    """Charlie and Delta share the third place of the composite."""
    narrative = report(given()).sentences["zh"].narrative
    assert any(sentence.endswith("其中有并列。") for sentence in narrative)
    assert not any("依次" in sentence for sentence in narrative)


def test_in_the_first_month_nobody_rose_stayed_entered_or_left(given, rankings_frame, rank_row):
    narrative = report(given(rankings=rankings_frame(ten(rank_row, [None] * 12)))).sentences["zh"].narrative
    assert len(narrative) == 2
    assert narrative[0] == "列出的12个城市中，12个参与综合排序。"


def test_a_platforms_cases_are_the_best_posts_of_its_highlighted_city(given, posts_frame):
    """Delta is highlighted on Facebook; of its posts the first three, though thirty others are before them."""
    accounts = pl.DataFrame(
        [("c04", "facebook", "sbx_delta", "100004"), ("c01", "facebook", "sbx_alpha", "100001")],
        schema=["city_id", "platform", "handle", "account_id"],
        orient="row",
    )
    posts = pl.concat(
        [
            posts_frame(post_id="best of all", position=1),
            *(
                posts_frame(account_id="100004", city_id="c04", post_id=f"d{n}", position=30 + n, city_position=n)
                for n in range(1, 4)
            ),
        ]
    )
    section = report(given(accounts=accounts, top_posts=posts)).sections[0]
    assert [post.post_id for post in section.cases] == ["d1", "d2", "d3"]
    assert [post.post_id for post in section.posts] == ["best of all"]


def test_a_made_up_post_is_never_linked_to_a_real_platform(given, posts_frame):
    for address, offered in (("https://x.com/sbx_a/status/1", False), ("https://x.example/sbx_a/1", True)):
        posts = posts_frame(permalink=address)
        assert report(given(top_posts=posts)).sections[0].posts[0].link == address
        [made_up] = report(given(top_posts=posts, synthetic=True)).sections[0].posts
        assert (made_up.link is not None) == offered


def test_movers_are_the_farthest_first(given):
    context = report(given())
    assert [(m.city.city_id, m.places) for m in context.risers] == [("c02", 3), ("c10", 3), ("c03", 1)]
    assert [(m.city.city_id, m.places) for m in context.fallers] == [("c04", -1), ("c11", -1)]


def test_accounts_that_did_not_answer_are_listed_with_city_and_reason(given):
    [gap] = report(given()).account_gaps
    assert (gap.platform, gap.city.name_en, gap.handle, gap.outcome) == ("facebook", "Echo", "sbx_echo", "missing")


def test_hashtags_nobody_counted_come_after_those_with_interactions(given):
    assert [tag.hashtag for tag in report(given()).sections[0].hashtags] == ["alpha", "beta"]


def test_the_count_date_is_the_day_in_the_editions_zone(given):
    """22:00 UTC on the 9th is 06:00 on the 10th in Shanghai."""
    context = report(given())
    assert (context.counted_from, context.counted_to) == (date(2025, 6, 10), date(2025, 6, 10))


def test_a_suspended_indicator_is_told(given):
    [suspended] = report(given()).suspensions
    assert (suspended.platform, suspended.indicator) == ("facebook", "follower_growth")


def test_the_order_of_the_rows_does_not_matter(given):
    turned = {name: value.reverse() for name, value in vars(given()).items() if isinstance(value, pl.DataFrame)}
    assert report(given(**turned)) == report(given())


def test_a_frame_without_a_column_is_refused_by_name(given):
    with pytest.raises(ValueError, match=r"report, coverage: expected the columns \['cut'\]"):
        given(coverage=given().coverage.drop("cut"))


def test_rows_of_another_month_are_refused(given):
    with pytest.raises(ValueError, match=r"report, movers: expected rows of 2025-05-01 only, got also 2025-04-01"):
        given(movers=given().movers.with_columns(month=date(2025, 4, 1)))


def test_a_note_tells_where_a_change_is_not_the_difference_of_the_printed_ranks(given, rankings_frame, rank_row):
    rows = [rank_row("composite", "c01", 2, 9.0, 2, rank_change=1), rank_row("composite", "c02", 1, 10.0)]
    [entry] = report(given(rankings=rankings_frame(rows))).composite.apart
    assert entry.city.city_id == "c01"


def test_a_month_without_any_row_still_makes_an_edition(given):
    empty = {name: value.clear() for name, value in vars(given()).items() if isinstance(value, pl.DataFrame)}
    context = report(given(**empty))
    assert context.composite.entries == ()
    assert not any(section.collected for section in context.sections)


def test_a_leader_that_rose_is_said_to_have_risen(given, rankings_frame, rank_row):
    rows = [rank_row("composite", "c01", 1, 9.0, 3), rank_row("composite", "c02", 2, 8.0, 1)]
    finding = report(given(rankings=rankings_frame(rows))).sentences["zh"].finding
    assert finding == "甲市比上一监测周期上升两位，居综合传播力指数首位，得分9.00。"


def test_counts_of_cities_are_printed_only_where_they_give_the_share_the_rule_used(given):
    covered = given().coverage.with_columns(cities_with_account=pl.lit(5, pl.Int64))
    said = report(given(coverage=covered)).sentences["zh"].absences["tiktok"]
    assert said == "TikTok不计入综合指数：账号覆盖率16.7%，低于30%的进入标准。"


def test_an_unknown_coverage_is_the_reason_given(given):
    weights = given().platform_weight.with_columns(coverage=pl.lit(None, pl.Float64))
    said = report(given(platform_weight=weights)).sentences["en"].absences["tiktok"]
    assert said == "TikTok is left out of the composite index: no coverage of accounts is known this month."


def test_where_nobody_entered_the_farthest_climb_within_the_ten_is_told(given, rankings_frame, rank_row):
    rows = [rank_row("youtube", "c01", 1, 9.0, 1), rank_row("youtube", "c02", 2, 8.0, 4)]
    highlights = report(given(rankings=rankings_frame(rows))).sentences["en"].highlights
    assert highlights == {"youtube": "Bravo is up 2 places on the month before to 2nd on YouTube."}


def test_a_video_platform_is_told_by_its_views(given, rankings_frame, rank_row):
    """The printed figure: 80,900 views over 4 videos."""
    figures = given().city_metrics.with_columns(
        platform=pl.lit("youtube"), views=pl.lit(80900, pl.Int64), view_rate=pl.lit(80900 / 4)
    )
    rows = [rank_row("youtube", "c04", 1, 9.0)]
    highlights = report(given(rankings=rankings_frame(rows), city_metrics=figures)).sentences["zh"].highlights
    assert highlights == {"youtube": "丁市居优兔传播力指数首位，视频观看量8.09万次，观看率20,225。"}


def test_weight_parts_that_are_no_object_are_refused(given):
    broken = given().platform_weight.with_columns(parts=pl.lit("[1]"))
    with pytest.raises(TypeError, match="expected a JSON object as parts of facebook, got"):
        report(given(platform_weight=broken))


def test_posts_of_all_platforms_are_added_up_whatever_each_has(given):
    """No table stores that total: Python adds it up, in integers of any length."""
    great = given().coverage.with_columns(posts=pl.when(pl.col("posts").is_not_null()).then(pl.lit(LARGEST)))
    platforms = great["posts"].count()
    assert platforms > 1
    assert posts_collected(report(given(coverage=great))) == platforms * LARGEST
