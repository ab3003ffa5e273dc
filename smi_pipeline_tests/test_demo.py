"""`smi demo` as a newcomer runs it: the bundled scenario over a socket, the printed index, a page to send to a colleague."""

import functools
import json
import re
import signal
import subprocess
import urllib.error
import urllib.request
from html.parser import HTMLParser

import pytest
import yaml
from smi import PROJECT, command, environment, recompute, rows, smi_each


@pytest.fixture(scope="module")
def edition(demo):
    return demo[0] / "reports" / "2025-05"


@pytest.fixture(scope="module")
def told(edition):
    return json.loads((edition / "report.json").read_text(encoding="utf-8"))


def test_the_demo_prints_the_published_ranking_the_report_and_what_to_do_next(demo, shared):
    path, printed = demo
    facts = yaml.safe_load((shared / "facts" / "published_editions.yaml").read_text(encoding="utf-8"))
    may = next(edition for edition in facts["editions"] if edition["month"] == "2025-05")
    assert re.findall(r"│ \d+ +│ ([一-鿿]+)", printed) == may["composite_top10"]
    assert "Composite ranking 2025-05 (final)" in printed
    assert str(path / "reports" / "2025-05" / "index.html") in printed
    assert "smi backfill 2024-05 2025-05 --sandbox" in printed


def test_all_six_lists_in_the_lake_are_the_published_ones(demo, shared):
    facts = yaml.safe_load((shared / "facts" / "published_editions.yaml").read_text(encoding="utf-8"))
    may = next(edition for edition in facts["editions"] if edition["month"] == "2025-05")
    for index in ("composite", "facebook", "x", "instagram", "youtube", "tiktok"):
        sql = f"select name_zh from marts.rankings where month = '2025-05-01' and index_name = '{index}' and rank <= 10 order by rank"
        assert [name for (name,) in rows(demo[0], sql)] == may[f"{index}_top10"], index


def test_a_page_of_standard_library_recomputes_the_edition_from_its_exports(demo, tmp_path):
    """Every score and rank of 138 cities and five platforms, and the weights behind them, without the pipeline."""
    months = {month: tmp_path / month for month in ("2025-04", "2025-05")}
    names = ["city", "account", "platform_weight", "expert_agreement", "expert_city", "platform_index", "composite"]
    tables = ["metrics.city_platform_month", *(f"index.{name}" for name in names)]
    commands = [("export", "raw.input_file", "-o", months["2025-05"] / "raw.input_file.csv")]
    for month, folder in months.items():
        folder.mkdir()
        commands += [("export", table, "--month", month, "-o", folder / f"{table}.csv") for table in tables]
    smi_each([("--lake", demo[0], *one) for one in commands])

    done = recompute("recompute.py", months["2025-05"], months["2025-04"])
    assert done.returncode == 0, done.stdout + done.stderr
    compared, ranks = map(int, re.findall(r"\d+(?= scores| of them)", done.stdout))
    assert compared > 1300
    assert (
        ranks
        == rows(
            demo[0],
            "select count(rank) from (select month, rank from index.composite union all"
            " select month, rank from index.platform_index) where month = '2025-05-01'",
        )[0][0]
    )
    done = recompute("recompute_weights.py", months["2025-05"])
    assert (done.returncode, done.stdout[:26]) == (0, "5 platform weights compare"), done.stderr


def test_the_wire_loses_and_adds_nothing(demo):
    """Figures that came over five APIs, two cuts, raw tables and views stand to the last digit."""
    sql = (
        "select platform, name_zh, posts, interactions, views, follower_growth from metrics.city_platform_month"
        " join index.city using (month, city_id) where month = '2025-05-01' and (platform, name_zh) in"
        " (('x', '日照'), ('instagram', '洛阳'), ('youtube', '常州'), ('tiktok', '北京')) order by all"
    )
    got = {(platform, name): figures for platform, name, *figures in rows(demo[0], sql)}
    assert got["x", "日照"][:2] == [33, 11_088]
    assert got["instagram", "洛阳"][:2] == [120, 357_840]
    assert (got["youtube", "常州"][0], got["youtube", "常州"][2]) == (4, 80_900)
    assert (got["tiktok", "北京"][0], *got["tiktok", "北京"][2:]) == (5, 643_500, 100_000)


def test_what_was_deleted_between_the_cuts_is_kept_and_does_not_count(demo):
    of_cut = "select id from raw.x_posts where collection_id = '2025-05.x.000{}'"
    [(gone,)] = rows(demo[0], f"select count(*) from ({of_cut.format(1)} except {of_cut.format(2)})")
    assert gone > 0


def test_a_suspended_account_is_a_gap_in_the_platforms_own_words_and_a_renamed_one_is_followed(demo, told):
    [gap] = told["account_gaps"]
    assert (gap["platform"], gap["handle"], gap["outcome"]) == ("x", "sbx_liaocheng", "suspended")
    assert "has been suspended" in gap["detail"]
    [(posts,)] = rows(
        demo[0],
        "select posts from metrics.account_month where month = '2025-05-01' and account_id = '9000000000000420100'",
    )
    assert posts > 0


def test_the_printed_sentences_come_out(told):
    """The wording patterns of published editions, with the cities and figures they were printed with."""
    said = told["sentences"]["zh"]
    assert said["highlights"]["instagram"] == (
        "洛阳互动量达35.78万次，互动率2,982，较上一监测周期提升显著（上升二十六位），跻身上述维度排序前十。"
    )
    assert said["highlights"]["x"] == (
        "日照互动量达1.11万次，互动率336，较上一监测周期提升显著（上升十五位），跻身上述维度排序前十。"
    )
    assert "成都、杭州、上海与上一监测周期持平。" in said["narrative"]
    assert "前十城市中，常州的观看率最高，为20,225，视频观看量8.09万次。" in said["remarks"]["youtube"]
    assert said["highlights"]["tiktok"].startswith("北京视频观看量达64.35万次，观看率128,700，")
    assert said["remarks"]["tiktok"] == ["前十城市中，北京的粉丝增加最多，增加10万。"]
    assert said["leaders"]["tiktok"] == (
        "TikTok传播力指数前十依次为北京、南京、镇江、南通、常州、盐城、天津、桂林、深圳、西安。"
    )
    assert said["absences"] == {
        "tiktok": "TikTok不计入综合指数：138个监测城市中26个设有账号，覆盖率18.8%，低于30%的进入标准。"
    }


def test_every_sentence_stands_on_the_lakes_own_figures(demo, told):
    """report.json tells condition and values of each; the values are those of the tables, unrounded."""
    sql = "select {} from metrics.city_platform_month where month = '2025-05-01' and platform = '{}' and city_id = '{}'"
    names = {"interactions", "engagement_rate", "views", "view_rate", "growth"}
    checked = 0
    for claim in told["claims"]:
        _, _, platform = claim["place"].partition(".")
        for name in names & set(claim["values"]):
            column = "follower_growth" if name == "growth" else name
            [(figure,)] = rows(demo[0], sql.format(column, platform, claim["values"]["city"]["city_id"]))
            assert claim["values"][name] == figure
            checked += 1
    assert checked > 20
    said = [sentence for claim in told["claims"] for sentence in claim["said"].values()]
    for language in ("zh", "en"):
        printed = told["sentences"][language]
        assert printed["finding"] in said
        for place in ("holes", "composed", "narrative", "certainty", "circumstances", "gaps"):
            assert set(printed[place]) <= set(said)


class _Words(HTMLParser):
    """The page's own text: not what strangers wrote, not style and script."""

    def __init__(self):
        super().__init__()
        self.said, self._quiet = [], []

    def handle_starttag(self, tag, attrs):
        if tag in {"style", "script", "bdi", "code"} or dict(attrs).get("lang") == "en":
            self._quiet.append(tag)

    def handle_endtag(self, tag):
        if self._quiet and self._quiet[-1] == tag:
            self._quiet.pop()

    def handle_data(self, data):
        if not self._quiet and data.strip():
            self.said.append(data.strip())


def test_the_chinese_page_is_punctuated_as_chinese_is(edition):
    words = _Words()
    words.feed((edition / "index.html").read_text(encoding="utf-8"))
    wrong = [text for text in words.said if re.search(r"[一-鿿][,;:?!()]|[,;:?!()][一-鿿]", text)]
    assert wrong == []
    # As newspapers set a sentence: no space between Chinese and figures, none beside full-width marks.
    sentences = [text for text in words.said if re.search(r"[。（]", text)]
    assert len(sentences) > 50
    spaced = r"[一-鿿] [0-9A-Za-z]|[0-9A-Za-z%] [一-鿿]|[，。；：（）、] | [，。；：（）、]"
    assert [text for text in sentences if re.search(spaced, text)] == []
    assert sum("一" <= character <= "鿿" for text in words.said for character in text) > 3000


def test_made_up_data_are_called_so_on_every_page_card_and_table(edition):
    for name in ("index.html", "index.en.html"):
        page = (edition / name).read_text(encoding="utf-8")
        assert 'class="synthetic"' in page
        assert re.search(r"<title>[^<]*(合成数据|synthetic data)", page)
        assert "@top-center" in page
    cards = sorted((edition / "cards").glob("*.svg"))
    assert len(cards) == 12
    assert all("合成数据" in card.read_text() or "Made-up data" in card.read_text() for card in cards)
    assert (edition / "rankings.csv").read_text().splitlines()[1].endswith(",true")


def test_nobody_ranked_goes_missing_from_the_page(edition):
    page = (edition / "index.html").read_text(encoding="utf-8")
    assert len(re.findall(r"<tr data-find=", page)) == 138


def test_a_second_demo_asks_nothing_changes_nothing_and_serves_the_archive_on_loopback_alone(demo):
    path, _ = demo
    before = {file: file.read_bytes() for file in sorted((path / "reports").rglob("*")) if file.is_file()}
    collections = rows(path, "select count(*), sum(requests) from raw.collection")
    server = subprocess.Popen(
        command("demo", "--serve", "--port", "0", "--lake", path),
        cwd=PROJECT,
        env=environment(BROWSER="true", PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        address = next(
            found.group(1)
            for line in iter(server.stdout.readline, "")
            if (found := re.search(r"all editions at (http://127\.0\.0\.1:\d+/)", line))
        )
        get = functools.partial(_get, address)
        assert "2025-04" in get("")
        assert "<h1>" in get("2025-05/index.html")
        assert get("2025-05/cards/composite.zh.svg").startswith("<svg")
        for hidden in ("2025-05/cards/", ".hidden", "../catalog.sqlite", "%2e%2e/catalog.sqlite"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                get(hidden)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=30)
        server.stdout.close()
    assert server.returncode == 0
    assert rows(path, "select count(*), sum(requests) from raw.collection") == collections
    assert {file: file.read_bytes() for file in before} == before


def _get(address, name):
    with urllib.request.urlopen(address + name, timeout=10) as answer:
        return answer.read().decode()
