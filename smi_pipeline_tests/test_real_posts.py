"""Recorded posts of 42 real accounts through the five APIs, against figures computed without this project.

The posts are read where they lie: some have no licence that would let them be shipped.
"""

import csv

import pytest
from smi import smi_each

from smi_pipeline.index.method import method_text
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.frames import read_frame
from smi_pipeline.registry.template import from_dataset

ZONE = {"SMI_ZONE": "UTC", "SMI_FIRST_MONTH": "2006-06"}
# Each platform once at least: posts collected twice into one file (CNN), retweets, a negative count, small and large,
# accounts whose replies are not in the data beside one whose are.
SAMPLE = ("2012-05", "2014-12", "2015-09", "2018-09", "2022-11", "2026-01")
COUNTS = ("posts", "videos", "likes", "comments", "shares", "interactions", "views")
RATES = ("engagement_rate", "view_rate")
# One comment count is -41: unknown, not negative, so the independent sum of 40,634 lacks 41 interactions.
BAD_COUNT = ("instagram", "10067115", "2022-11")


@pytest.fixture(scope="module")
def registry(shared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("registry")
    assert from_dataset(shared / "realdata", folder) == 42
    return folder


@pytest.fixture
def reposts_included(tmp_path):
    file = tmp_path / "with_reposts.toml"
    text = method_text("m1")
    assert text.count("include_reposts = false") == 1
    file.write_text(text.replace("include_reposts = false", "include_reposts = true"))
    return {"SMI_METHOD": str(file)}


def derived(path):
    with Lake.of(path).read() as cursor:
        rows = read_frame(cursor, "select * replace (strftime(month, '%Y-%m') as month) from metrics.account_month")
    return {(row["platform"], row["account_id"], row["month"]): row for row in rows.iter_rows(named=True)}


def expected(shared, name, months):
    with (shared / "realdata" / name).open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if months is None or row["month"] in months]
    return {(row["platform"], row["account_id"], row["month"]): row for row in rows}


def differences(got, want):
    """What is not as expected, in words; the one bad count is checked apart."""
    for key, row in want.items():
        if key == BAD_COUNT:
            continue
        mine = got.get(key)
        if mine is None:
            yield f"{key}: no row"
            continue
        for name in COUNTS:
            if mine[name] != (int(row[name]) if row[name] else None):
                yield f"{key} {name}: {mine[name]}, expected {row[name] or 'null'}"
        for name in RATES:
            if (mine[name] is None) != (not row[name]) or (
                row[name] and abs(mine[name] - float(row[name])) > 0.0050001
            ):
                yield f"{key} {name}: {mine[name]}, expected {row[name] or 'null'}"
    for key in got.keys() - want.keys():
        if got[key]["posts"] != 0:
            yield f"{key}: {got[key]['posts']} posts where none are expected"


def check_the_bad_count(got):
    row = got[BAD_COUNT]
    assert (row["posts"], row["likes"], row["comments"], row["interactions"]) == (96, 39_321, 1_354, 40_675)
    assert "bad_count" in row["flags"]


def check_the_rates_of_complete_posts(got):
    """By hand: X's replies are reported of one account alone, so no post of the others has all that X reports.

    The post with a comment count of -41 has 162 likes: (40,675 - 162) / 95.
    """
    for month, posts in (("2014-12", 16), ("2015-09", 12)):
        row = got["x", "373526339", month]
        assert (row["posts"], row["complete_posts"], row["engagement_rate_reported"]) == (posts, 0, None)
        assert "partial_count" in row["flags"]
        row = got["x", "BarackObama", month]
        assert row["engagement_rate_reported"] == row["engagement_rate"]
        assert "partial_count" not in row["flags"]
    row = got[BAD_COUNT]
    assert (row["posts"], row["complete_posts"], row["complete_interactions"]) == (96, 95, 40_513)
    assert row["engagement_rate_reported"] == 40_513 / 95
    moved = {key for key, row in got.items() if "partial_count" in row["flags"]}
    assert moved == {("x", "373526339", "2014-12"), ("x", "373526339", "2015-09"), BAD_COUNT}


def test_a_sample_of_months_gives_the_independent_figures(shared, registry, reposts_included, tmp_path):
    path = tmp_path / "lake"
    shared_options = ("--registry", registry, "--lake", path)
    smi_each(
        [(*shared_options, "run", month, "--to", "metrics", "--sandbox", shared / "realdata") for month in SAMPLE],
        **ZONE,
    )
    got, want = derived(path), expected(shared, "expected_no_reposts.csv", SAMPLE)
    assert len(want) == 44
    assert list(differences(got, want)) == []
    check_the_bad_count(got)
    check_the_rates_of_complete_posts(got)
    assert len(got) == 42 * len(SAMPLE)
    assert got["x", "2670726740", "2018-09"]["reposts"] == 90

    # The same posts under a method that counts reposts: collected already, so no server is needed.
    smi_each([(*shared_options, "run", "2018-09", "--to", "metrics")], **ZONE, **reposts_included)
    month = {key: row for key, row in derived(path).items() if key[2] == "2018-09"}
    assert list(differences(month, expected(shared, "expected.csv", ["2018-09"]))) == []


@pytest.mark.real
def test_every_month_gives_the_independent_figures(shared, registry, reposts_included, tmp_path):
    path = tmp_path / "lake"
    arguments = ("--registry", registry, "--lake", path, "backfill", "2006-06", "2026-03", "--to", "metrics")
    smi_each([(*arguments, "--sandbox", shared / "realdata")], **ZONE)
    got, want = derived(path), expected(shared, "expected_no_reposts.csv", None)
    assert len(want) == 1018
    assert list(differences(got, want)) == []
    check_the_bad_count(got)
    assert sum("partial_count" in row["flags"] for row in got.values()) == 61

    smi_each([arguments], **ZONE, **reposts_included)
    want = expected(shared, "expected.csv", None)
    assert len(want) == 1019
    assert list(differences(derived(path), want)) == []
