"""The pages as a browser gets them: parsed, not searched with patterns where structure matters."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import polars as pl
import pytest

from smi_pipeline.index.method import load_method
from smi_pipeline.report.context import report
from smi_pipeline.report.pages import bar, page

LANGUAGES = ("zh", "en")
VOID = {"meta", "input", "col", "rect", "br"}
EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'\u202e{{ 7*7 }}"

pytestmark = pytest.mark.usefixtures("light_font")


class Page(HTMLParser):
    """Every start tag with its attributes, and the text of each element by its path."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.stack, self.words = [], [], []
        self.feed(text)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append((tag, dict(attrs)))

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.stack.pop()[0] == tag

    def handle_data(self, data):
        self.words.append((tuple(self.stack), data))

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]

    def text_in(self, tag, **wanted):
        return "".join(
            words
            for stack, words in self.words
            if any(name == tag and wanted.items() <= attrs.items() for name, attrs in stack)
        )


@pytest.fixture(params=LANGUAGES)
def language(request):
    return request.param


def test_the_composite_is_printed_in_its_order(given, language):
    text = page(report(given()), language)
    section = text[text.index('id="composite"') : text.index("</table>")]
    names = ["甲市", "乙市", "丙市", "丁市", "戊市", "己市", "庚市", "辛市", "壬市", "癸市"]
    english = ["Alpha", "Bravo", "Charlie", "Delta", "Echo", "Foxtrot", "Golf", "Hotel", "India", "Juliett"]
    places = [section.index(f'<th scope="row">{name}') for name in (names if language == "zh" else english)]
    assert places == sorted(places)
    assert "Kilo" not in section


def test_a_change_has_a_shape_a_number_and_words(given):
    text = page(report(given()), "en")
    assert '<span aria-hidden="true">▲ 3</span><span class="unseen">up 3 places</span>' in text
    assert '<span aria-hidden="true">▼ 1</span><span class="unseen">down 1 place</span>' in text
    assert '<span aria-hidden="true">＝</span><span class="unseen">unchanged</span>' in text


def test_a_note_says_why_a_mover_moved_farther_than_its_printed_ranks(given):
    note = "升降按两个月共同排序的城市计算，与表中名次之差可有不同。"
    assert note not in page(report(given()), "zh")
    farther = given().movers.with_columns(rank_change=pl.col("rank_change") + pl.col("rank_change").sign())
    assert note in page(report(given(movers=farther)), "zh")


def test_ties_are_shown_as_ties(given):
    assert page(report(given()), "en").count('<td class="rank">3 <small>tied</small></td>') == 2
    assert page(report(given()), "zh").count('<td class="rank">3 <small>并列</small></td>') == 2


def test_a_city_without_a_rank_is_shown_as_not_ranked_with_the_reason(given):
    text = page(report(given()), "en")
    row = text[text.index('data-find="丑市 lima') :]
    row = row[: row.index("</tr>")]
    assert "not ranked" in row
    assert "no account" in row
    assert ">0.00<" not in row


def test_a_first_month_shows_no_change(given, language):
    first = given(
        rankings=given().rankings.with_columns(previous_rank=None, rank_change=None), movers=given().movers.clear()
    )
    text = page(report(first), language)
    assert "▲" not in text
    assert "▼" not in text
    assert 'class="badge"><span aria-hidden' not in text
    assert ("上一监测周期未计算" if language == "zh" else "The month before was not computed") in text


def test_made_up_data_are_announced_and_real_data_are_not(given):
    for language, words in (("zh", "合成数据"), ("en", "Synthetic data")):
        made_up = Page(page(report(given(synthetic=True)), language))
        assert words in made_up.text_in("aside", **{"class": "synthetic"})
        assert words.lower() in made_up.text_in("title").lower()
        assert words not in page(report(given()), language)


def test_a_hostile_caption_is_only_text(given, posts_frame, language):
    """X4: markup, attribute breakers, template blanks and bidirectional controls in every place strangers can write."""
    hostile = given(
        top_posts=posts_frame(text=EVIL, permalink="javascript:alert(1)", kind=EVIL),
        hashtags=given().hashtags.with_columns(hashtag=pl.lit(EVIL)),
        outcomes=given().outcomes.with_columns(handle=pl.lit(EVIL), detail=pl.lit(EVIL), outcome=pl.lit("missing")),
        cities=given().cities.with_columns(name_zh=pl.lit(EVIL), name_en=pl.lit(EVIL), province=pl.lit(EVIL)),
    )
    text = page(report(hostile), language)
    parsed = Page(text)
    assert len(parsed.all("script")) == 1
    assert parsed.all("img") == []
    assert not any(name.startswith("on") for _, attrs in parsed.tags for name in attrs)
    assert "javascript:" not in text
    assert "\u202e" not in text
    assert "{{ 7*7 }}" in text
    assert "<script>alert(1)</script>" in parsed.text_in("p", **{"class": "text"})


def test_captions_handles_and_hashtags_stand_apart_from_the_text_around_them(given):
    parsed = Page(page(report(given()), "en"))
    assert "Spring #alpha" in parsed.text_in("bdi", dir="auto")
    assert "#alpha" in parsed.text_in("bdi", **{"class": "tag"})
    assert "@sbx_alpha" in parsed.text_in("bdi")


def test_a_link_to_a_post_says_where_it_leads_and_tells_nothing_about_the_reader(given):
    [link] = [a for a in Page(page(report(given()), "en")).all("a") if a["href"].startswith("https:")]
    assert link["href"] == "https://www.facebook.com/1/posts/2"
    assert {"noopener", "noreferrer"} <= set(link["rel"].split())


def test_nothing_is_loaded_from_anywhere(given, language):
    parsed = Page(page(report(given()), language))
    assert not any(name in attrs for _, attrs in parsed.tags for name in ("src", "srcset", "style", "action", "data"))
    assert parsed.all("link") == []
    style = parsed.text_in("style")
    assert "@import" not in style
    assert set(re.findall(r"url\([^;]{0,16}", style)) == {"url(data:font/woff"}


def test_the_policy_allows_exactly_this_style_sheet_and_this_script(given, language):
    parsed = Page(page(report(given()), language))
    [policy] = [m["content"] for m in parsed.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    digests = {
        tag: base64.b64encode(hashlib.sha256(parsed.text_in(tag).encode()).digest()).decode()
        for tag in ("style", "script")
    }
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digests['style']}'; script-src 'sha256-{digests['script']}'; "
        "font-src data:; base-uri 'none'; form-action 'none'"
    )


def test_the_policy_comes_before_anything_it_governs(given, language):
    text = page(report(given()), language)
    assert text.index("Content-Security-Policy") < min(text.index("<style"), text.index("<script"))


def test_the_page_can_be_used_without_seeing_it(given, language):
    parsed = Page(page(report(given()), language))
    assert parsed.all("html") == [{"lang": "zh-CN" if language == "zh" else "en"}]
    assert parsed.all("a")[0] == {"class": "skip", "href": "#main"}
    assert [m["id"] for m in parsed.all("main")] == ["main"]
    assert len(parsed.all("h1")) == 1
    assert len(parsed.all("caption")) == len(parsed.all("table"))
    assert all(head.get("scope") in {"col", "row"} for head in parsed.all("th"))
    ids = [attrs["id"] for _, attrs in parsed.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    targets = {a["href"][1:] for a in parsed.all("a") if a["href"].startswith("#")}
    assert targets <= set(ids)
    assert {attrs["aria-labelledby"] for _, attrs in parsed.tags if "aria-labelledby" in attrs} <= set(ids)


def test_the_script_is_about_a_kilobyte_and_the_table_needs_none_of_it(given):
    parsed = Page(page(report(given()), "en"))
    assert len(parsed.text_in("script")) < 2000
    assert "hidden" in next(d for d in parsed.all("div") if d.get("id") == "tools")
    assert parsed.all("button") == []


def test_a_platform_without_a_collection_says_so(given):
    text = page(report(given()), "en")
    assert "Instagram was not collected this month; nothing is shown for it." in text


def test_the_reason_why_a_platform_is_left_out_stands_in_its_section(given):
    text = page(report(given()), "en")
    section = text[text.index('<section id="tiktok"') : text.index('<section id="cities"')]
    assert "TikTok is left out of the composite index: 2 of 12 monitored cities have an account" in section


def test_gaps_name_the_account_the_reason_and_the_platforms_own_words(given):
    text = page(report(given()), "en")
    gaps = text[text.index('<section id="gaps"') :]
    assert "@sbx_echo" in gaps
    assert "no such account" in gaps
    assert "does not &lt;i&gt;exist&lt;/i&gt;" in gaps
    assert "Suspended on Facebook: Follower growth." in gaps


def test_the_weights_stand_with_their_parts_and_sources(given):
    text = page(report(given()), "en")
    table = text[text.index("<h3>Platform weights of May 2025") : text.index("<h3>Counting rules")]
    facebook = table[table.index('<th scope="row">Facebook</th>') :]
    cells = re.findall(r"<td[^>]*>(.*?)</td>", facebook[: facebook.index("</tr>")])
    assert cells == ["91.7%", "<b>40.0%</b>", "35.0%", "2.0%", "3.0%", "1.0%", "−1.0%", "40.0%"]
    assert "a &lt;b&gt;bold&lt;/b&gt; source" in table


def test_the_definition_of_the_rate_is_on_every_page(given):
    assert "互动率＝互动量÷帖数" in page(report(given()), "zh")
    assert "Engagement rate = interactions per post" in page(report(given()), "en")


def test_provenance_names_snapshot_version_and_collections(given, language):
    text = page(report(given()), language)
    section = text[text.index('<section id="provenance"') :]
    assert all(f"<code>{x}</code>" in section for x in ("417", "0.1.0", "m1", "20250610T060000-facebook"))


def test_another_title_takes_the_place_of_the_indexs_own(given):
    text = page(report(given(title_en="Museums Abroad")), "en")
    assert "<h1>Museums Abroad</h1>" in text
    assert "Chinese Cities" not in text


@pytest.mark.parametrize(("score", "length"), [(None, "0.00"), (0.0, "0.00"), (50.0, "50.00"), (100.0, "100.00")])
def test_bars_start_at_zero(score, length):
    assert bar(score) == length


def test_a_month_without_any_row_is_a_page_that_says_so(given, language):
    empty = {name: value.clear() for name, value in vars(given()).items() if isinstance(value, pl.DataFrame)}
    text = page(report(given(**empty)), language)
    assert ("没有可以排序的城市" if language == "zh" else "No city is ranked this month") in text
    assert text.count("未采集" if language == "zh" else "was not collected this month") >= 5


def test_a_platform_that_begins_later_is_among_the_gaps(given):
    method = load_method("m1").model_copy(update={"platforms_from": {"tiktok": "2025-06"}})
    text = page(report(given(method=method)), "zh")
    assert "TikTok自2025年6月起监测，本月不含。" in text
    assert '<section id="tiktok"' not in text


def test_posts_that_could_not_be_read_are_among_the_gaps_with_the_number_of_their_cities(given):
    flagged = given().city_metrics.with_columns(flags=pl.lit(["bad_count", "malformed"]))
    two = pl.concat([flagged.head(1), flagged.head(1).with_columns(city_id=pl.lit("c04"))])
    text = gaps_of(page(report(given(city_metrics=two)), "en"))
    assert "On Facebook 2 cities had posts whose id or time could not be read" in text
    assert "could not be read" not in gaps_of(page(report(given()), "en"))


def test_weight_inputs_that_are_out_of_date_are_among_the_gaps(given):
    assert "are older than 100 days and carried on." in page(report(given()), "en")


def provisional(given, experts_frame, **experts):
    bare = given().composite.with_columns(qualitative=pl.lit(None, pl.Float64))
    frame = experts_frame(released=False, **experts)
    return report(given(composite=bare, status="provisional", experts=frame))


def test_why_expert_scores_are_withheld_is_told_with_its_figures(given, experts_frame):
    """11 of 12 are 91.67 %, and 0.6669 is cut: a figure must not be rounded up to the limit it misses."""
    context = provisional(given, experts_frame, alpha=0.6669, flags=["few_rated", "low_alpha"])
    zh, en = page(context, "zh"), page(context, "en")
    assert "12个监测城市中，11个（91.6%）有3名及以上的评分专家，未达到发布所需的95%。" in zh
    assert "评分专家的一致性（克里彭多夫α系数）为0.666，未达到发布所需的0.667，须进行第二轮评分。" in zh
    assert "11 of 12 monitored cities (91.6%) have 3 raters or more; 95% are needed for a release." in en
    assert "alpha) is 0.666, below the 0.667 needed for a release" in en


@pytest.mark.parametrize(
    ("flag", "zh", "en"),
    [
        ("provisional_cut", "专家评分待终版采集后发布", "expert scores are released over final ones"),
        ("no_ratings", "本月没有监测城市的专家评分", "No monitored city has expert scores"),
        ("alpha_undefined", "评分专家的一致性无法计算", "cannot be reckoned"),
    ],
)
def test_every_condition_of_a_release_has_its_sentence(given, experts_frame, flag, zh, en):
    context = provisional(given, experts_frame, alpha=None, flags=[flag])
    assert zh in page(context, "zh")
    assert en in page(context, "en")


def test_a_middling_agreement_is_published_with_a_note(given, experts_frame):
    context = report(given(experts=experts_frame(alpha=0.72, flags=["moderate_alpha"])))
    assert "为0.720，达到发布所需的0.667，但低于0.8，专家评分附此说明发布。" in page(context, "zh")
    assert "above the 0.667 needed for a release and below 0.8; the expert scores" in page(context, "en")
    assert "克里彭多夫" not in gaps_of(page(report(given()), "zh"))


def gaps_of(text):
    return text[text.index('<section id="gaps"') : text.index('<section id="provenance"')]


def test_cities_to_be_rated_again_are_counted_and_marked(given, rankings_frame, rank_row):
    rows = [rank_row("composite", "c01", 1, 9.0, flags=["rerate"]), rank_row("composite", "c02", 2, 8.0)]
    context = report(given(rankings=rankings_frame(rows)))
    assert "1个城市须重新评分：评分专家不足3名，或评分的标准差超过2.5分。" in page(context, "zh")
    assert "Cities to be rated again: 1. They have fewer than 3 raters" in page(context, "en")
    assert "须重新评分：评分专家不足，或评分相差过大" in page(context, "zh")


def test_the_file_of_expert_scores_is_named_by_its_vintage(given, experts_frame):
    context = report(given(experts=experts_frame(vintage=2)))
    assert "第2版文件（SHA-256 0123456789ab…），15名专家评12个城市，克里彭多夫α系数0.850" in page(context, "zh")
    none = report(given(experts=experts_frame(vintage=None, file_sha256=None, flags=["no_ratings"], released=False)))
    assert "版文件" not in page(none, "zh")


def test_counts_of_two_days_are_given_as_a_span(given):
    later = given().collections.with_columns(finished_at=pl.col("finished_at").dt.offset_by("1d"))
    assert "10 June 2025 to 11 June 2025" in page(report(given(collections=later)), "en")


def row_of(text, start):
    row = text[text.index(f'data-find="{start}') :]
    return row[: row.index("</tr>")]


def test_the_interval_of_a_rank_stands_beside_it_and_is_explained(given):
    """Alpha's draws lie between 1 and 2.5; a city that is not ranked has none."""
    text = page(report(given()), "zh")
    assert '<td class="number interval" data-value="1.0">1–2.5</td>' in row_of(text, "甲市")
    assert '<td class="number interval" data-value="">—</td>' in row_of(text, "丑市")
    assert "名次区间：换用其他权重、换算与汇总方式抽样1,000次，九成抽样的名次在此之间" in text
    assert "Interval: of 1,000 draws with other weights" in page(report(given()), "en")


def circumstances(text):
    if 'id="circumstances"' not in text:
        return []
    listed = text[text.index('id="circumstances"') :]
    return re.findall(r"<li>(.*?)</li>", listed[: listed.index("</ul>")])


def test_cities_that_came_or_went_are_counted_in_the_method(given):
    """Eleven of today's twelve were there, and one that is gone."""
    before = pl.concat([given().cities_before.head(11), pl.DataFrame({"city_id": ["c99"]})])
    changed = report(given(cities_before=before))
    assert circumstances(page(changed, "zh"))[0] == (
        "监测城市由上月的12个变为12个，新增1个，移出1个；升降按两个月共同排序的城市计算，不受其影响。"
    )
    assert circumstances(page(changed, "en"))[0] == (
        "The cities monitored went from 12 to 12 (1 joined, 1 left). "
        "Changes of rank count among the cities ranked in both months and are not affected."
    )


def test_nothing_is_said_of_changes_where_none_are_shown(given):
    first = given().rankings.with_columns(previous_rank=None, rank_change=None)
    alone = report(given(cities_before=given().cities_before.head(11), rankings=first))
    assert circumstances(page(alone, "zh"))[0] == "监测城市由上月的11个变为12个，新增1个，移出0个。"


@pytest.mark.parametrize("known", [0, 12])
def test_the_same_cities_and_a_registrys_first_month_are_no_change(given, known):
    same = report(given(cities_before=given().cities_before.head(known)))
    assert not any("监测城市由" in said for said in circumstances(page(same, "zh")))


@pytest.mark.parametrize(("since", "said"), [("2025-05", True), ("2025-04", False)])
def test_a_platform_is_new_in_its_first_month_only(given, since, said):
    method = load_method("m1").model_copy(update={"platforms_from": {"tiktok": since}})
    told = circumstances(page(report(given(method=method)), "zh"))
    assert ("TikTok自本月起监测，没有上月的名次可比。" in told) is said


def test_a_platform_left_out_is_among_what_sets_the_month_apart(given, language):
    context = report(given())
    assert circumstances(page(context, language)) == [context.sentences[language].absences["tiktok"]]


def test_a_month_like_any_other_has_nothing_of_the_kind(given):
    weights = given().platform_weight.filter(pl.col("platform") != "tiktok")
    assert circumstances(page(report(given(platform_weight=weights)), "en")) == []


def test_a_platform_with_a_weight_now_and_none_before_has_joined_the_composite(given):
    """TikTok's row has no weight of the month before, the other platforms' rows have one."""
    weights = given().platform_weight.with_columns(eligible=pl.lit(value=True), weight=pl.lit(0.2))
    said = circumstances(page(report(given(platform_weight=weights)), "zh"))
    assert said == ["TikTok本月起计入综合指数，权重20.0%。"]


@pytest.mark.parametrize(("before", "told"), [("m0", True), ("m1", False), (None, False)])
def test_another_version_of_the_method_is_told_in_its_first_month(given, before, told):
    said = circumstances(page(report(given(method_before=before)), "zh"))
    sentence = "本月起按方法版本m1计算，上月发布时为m0；升降以上月数据按m1重新计算的名次为准。"
    assert (sentence in said) is told
