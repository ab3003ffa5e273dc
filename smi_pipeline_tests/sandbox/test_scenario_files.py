"""The scenario's registry, words and files: real names and codes, believable posts, plainly fictional accounts."""

from __future__ import annotations

import csv
import hashlib
import re
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import gb2260
import pytest
from smi import PROJECT, environment

from smi_pipeline.registry.load import read_registry
from smi_pipeline.sandbox import identity
from smi_pipeline.sandbox.dataset import load
from smi_pipeline.sandbox.world import World

PACKAGE = Path(__file__).resolve().parents[2] / "smi_pipeline" / "sandbox" / "scenario"
SHANGHAI = timezone(timedelta(hours=8))
FINAL_CUT = datetime(2025, 6, 10, 6, tzinfo=SHANGHAI).astimezone(UTC)
CUT = datetime(2025, 6, 3, 6, tzinfo=SHANGHAI).astimezone(UTC)


def digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def folder(scenario):
    return scenario


@pytest.fixture(scope="module")
def dataset(folder):
    return load(folder)


@pytest.fixture(scope="module")
def registry():
    return read_registry(PACKAGE / "registry")


def test_every_code_is_that_citys_in_the_published_list(registry):
    """GB/T 2260: the code names the prefecture, its first two digits the province."""
    for city in registry.cities:
        division = gb2260.get(city.city_id)
        assert division.name.removesuffix("市") == city.name_zh
        assert division.province.name.startswith(city.province), city.name_zh


def test_138_cities_have_the_accounts_that_were_counted(registry):
    before = [city for city in registry.cities if city.valid_from.isoformat() < "2025-05-01"]
    assert (len(registry.cities), len(before)) == (138, 133)
    main = [account for account in registry.accounts if account.in_index]
    assert Counter(account.platform for account in main) == {
        "facebook": 120, "x": 108, "instagram": 92, "youtube": 78, "tiktok": 26,
    }  # fmt: skip
    assert all(count == 1 for count in Counter((a.platform, a.city_id) for a in main).values())
    assert len({city.name_en for city in registry.cities}) == 138


@pytest.mark.parametrize(
    ("platform", "without"),
    [
        ("youtube", "厦门 烟台 日照 东营 济宁 潍坊 佛山"),
        ("instagram", "东营 盐城 潍坊 烟台"),
        ("x", "济宁 台州"),
        ("facebook", "台州 绍兴"),
    ],
)
def test_who_has_no_account_where(registry, platform, without):
    ids = {city.name_zh: city.city_id for city in registry.cities}
    has = {account.city_id for account in registry.accounts if account.platform == platform}
    assert {ids[name] for name in without.split()}.isdisjoint(has)


def test_two_cities_have_no_account_at_all(registry):
    assert len({city.city_id for city in registry.cities} - {account.city_id for account in registry.accounts}) == 2


def test_every_account_is_plainly_fictional_and_well_formed_on_its_platform(dataset):
    for account in dataset.accounts:
        assert account.handle.startswith("sbx_")
        assert identity.handle(account.platform, account.handle) == account.handle
        assert "(sandbox)" in account.display_name
        if account.platform != "tiktok" and account.account_id != account.handle:
            assert identity.account_id(account.platform, account.account_id) == account.account_id


def test_ids_stay_as_they_are_on_the_wire_and_no_two_are_alike(dataset):
    for post in dataset.posts:
        owner = identity.account_id(post.account.platform, post.account.account_id)
        assert (
            identity.post_id(post.account.platform, post.post_id, account=owner, created_at=post.created_at)
            == post.post_id
        )
    assert 70_000 <= len(dataset.posts) <= 76_000


@pytest.fixture(scope="module")
def again(tmp_path_factory):
    """The scenario written over an older one, by a process with another zone and hash seed."""
    again = tmp_path_factory.mktemp("again") / "scenario"
    again.mkdir()
    (again / "stale.csv").write_text("old")
    command = [sys.executable, "-m", "smi_pipeline.sandbox.scenario", again]
    subprocess.run(command, check=True, env=environment(TZ="Pacific/Apia", PYTHONHASHSEED="7"), cwd=PROJECT)
    return again


def test_another_process_zone_and_hash_seed_write_the_same_bytes(folder, again):
    assert digests(again) == digests(folder)


def test_writing_over_an_older_scenario_leaves_nothing_of_it(again):
    assert not (again / "stale.csv").exists()
    assert [path.name for path in again.parent.iterdir()] == ["scenario"]


def test_posts_are_about_their_city_and_seldom_alike(dataset):
    texts = defaultdict(list)
    for post in dataset.posts:
        if post.created_at >= datetime(2025, 4, 30, 16, tzinfo=UTC) and post.created_at < datetime(
            2025, 5, 31, 16, tzinfo=UTC
        ):
            texts[post.account.account_id].append(post.text)
    said = [text for of in texts.values() for text in of]
    assert len(set(said)) > 0.9 * len(said)
    words = re.compile(r"#\w+")
    assert all(words.search(text) or text.startswith(("RT @", "Corrected")) for text in said)
    assert not any("{" in text or not text.strip() for text in said)


def test_texts_fit_their_platform_and_lead_nowhere_real(dataset):
    for post in dataset.posts:
        limit = {"x": 280, "instagram": 2200}.get(post.account.platform, 5000)
        assert len(post.text) <= limit
        for host in re.findall(r"https?://([^/\s]+)", f"{post.text} {post.permalink}"):
            assert host.endswith(".example")
        if post.account.platform == "youtube":
            assert len(post.text.splitlines()[0]) <= 100


def test_several_languages_and_all_hours_are_there(dataset):
    every = "".join(post.text for post in dataset.posts[:20_000])
    for pattern in ("[一-鿿]", "[ぁ-ん]", "[가-힣]", "[؀-ۿ]", "¿", "Guten Morgen", "Bonjour"):
        assert re.search(pattern, every), pattern
    hours = Counter(post.created_at.astimezone(SHANGHAI).hour for post in dataset.posts)
    assert len(hours) == 24
    assert hours[9] > 3 * hours[3]


def test_posts_vanish_and_change_between_the_cuts_and_counts_only_grow(dataset):
    deleted = [post for post in dataset.posts if post.deleted_at is not None]
    assert 100 < len(deleted) < 600
    for post in deleted:
        month = post.created_at.astimezone(SHANGHAI)
        cut = datetime(month.year + month.month // 12, month.month % 12 + 1, 3, 6, tzinfo=SHANGHAI)
        assert cut < post.deleted_at < cut + timedelta(days=7)
    assert sum(bool(post.edits) for post in dataset.posts) > 300
    for post in dataset.posts:
        for _, later in post.snapshots:
            assert all(a is None or a <= b for a, b in zip(post.counts, later, strict=True))


def test_an_account_is_suspended_one_is_renamed_and_some_hide_their_likes(dataset):
    world = World(dataset)
    assert world.by_handle("x", "sbx_liaocheng", datetime(2025, 5, 20, tzinfo=UTC)) is not None
    assert world.is_suspended("x", "sbx_liaocheng", CUT)
    assert world.by_handle("x", "sbx_wuhan", datetime(2024, 12, 10, tzinfo=UTC)).handle == "sbx_wuhan"
    assert world.by_handle("x", "sbx_visitwuhan", CUT).account.account_id == "9000000000000420100"
    hidden = [p for p in dataset.posts if p.account.platform == "instagram" and p.counts.likes is None]
    assert len({post.account.account_id for post in hidden}) >= 2
    assert any(post.kind == "repost" for post in dataset.posts)


def test_subscribers_at_a_months_end_come_in_three_figures(dataset):
    channels = [account for account in dataset.accounts if account.platform == "youtube"]
    ends = [n for channel in channels for at, n in channel.observations if at.astimezone(SHANGHAI).day == 3]
    assert len(ends) > 1000
    assert all(number == int(str(number)[:3]) * 10 ** max(len(str(number)) - 3, 0) for number in ends)


def test_printed_figures_and_lists_stand_in_data_and_tests_only():
    """The generator and the pipeline know no city by name and none of the printed numbers."""
    with (PACKAGE / "registry" / "cities.csv").open(encoding="utf-8", newline="") as stream:
        names = [row["name_zh"] for row in csv.DictReader(stream)]
    told = re.compile(
        "|".join([*names, "412[,_]?907", "357[,_]?8[04]0", "11[,_]?088", "80[,_]?900", "643[,_]?500", "3225", "2982"])
    )
    root = PACKAGE.parents[1]
    found = [
        (path.relative_to(root.parent).as_posix(), told.search(line).group())
        for path in [*root.rglob("*.py"), *root.rglob("*.j2"), *root.parent.joinpath("dbt_like_sql").rglob("*.sql")]
        for line in path.read_text(encoding="utf-8").splitlines()
        if told.search(line)
    ]
    assert found == []
