"""The printed rankings come out of an edition whose cities stand at the scenario's target scores.

Every indicator of a city is put at the raw value that is worth its target, by inverting the goalposts here; the
experts all give the scenario's level. What is tested is everything between metrics and ranks.
"""

from __future__ import annotations

import math
from pathlib import Path

import polars as pl
import pytest
import yaml

SHARED = Path(__file__).resolve().parents[3] / "shared"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the reference material ../shared is not here")
PLATFORMS = ("facebook", "x", "instagram", "youtube", "tiktok")


def raw(points: float, transform: str, lo: float, hi: float) -> float:
    """The value worth `points` between goalposts."""
    if transform == "ln1p":
        return math.expm1(math.log1p(lo) + points / 100 * (math.log1p(hi) - math.log1p(lo)))
    start, end = math.asinh(lo / 100), math.asinh(hi / 100)
    return 100 * math.sinh(start + points / 100 * (end - start))


@pytest.fixture(scope="module")
def targets():
    with (SHARED / "scenario" / "targets.csv").open("rb") as file:
        return pl.read_csv(file, infer_schema_length=None)


@pytest.fixture(scope="module")
def scenario(new_world, targets):
    """The registry and the metrics of all fourteen months."""
    world = new_world()
    method = world.method
    first = {row["city"]: row["month"] for row in targets.sort("month", descending=True).iter_rows(named=True)}
    for name, month in sorted(first.items()):
        world.city(name, since=f"{month}-01")
    seen: dict[tuple[str, str], str] = {}
    for row in targets.sort("month").iter_rows(named=True):
        for platform in PLATFORMS:
            if row[platform] is None:
                continue
            seen.setdefault((row["city"], platform), row["month"])
            values = {
                name: raw(row[platform], method.indicators[name].transform, *ends)
                for name, ends in method.goalposts.of(platform).items()
            }
            world.measure(row["month"], platform, row["city"], **({"posts": 1.0} | values))
    for (name, platform), month in seen.items():
        world.account(name, platform, since=f"{month}-01")
    return world


@pytest.fixture(scope="module")
def make(scenario, targets, ratings):
    """The edition of a month, with the ratings of it and of the month before."""
    metrics = pl.DataFrame(scenario.metrics, schema_overrides={"flags": pl.List(pl.String)}, infer_schema_length=None)

    def levels(month: str) -> pl.DataFrame | None:
        of_month = targets.filter(month=month)
        if of_month.is_empty():
            return None
        return ratings({r["city"]: 1 + 9 * r["expert_L"] / 100 for r in of_month.iter_rows(named=True)})

    def run(month: str, previous: str):
        return scenario.edition(month, metrics=metrics, experts=levels(month), experts_previous=levels(previous))

    return run


@pytest.fixture(scope="module")
def published():
    facts = yaml.safe_load((SHARED / "facts" / "published_editions.yaml").read_text(encoding="utf-8"))
    return {edition["month"]: edition for edition in facts["editions"]}


def top10(frame: pl.DataFrame) -> list[str]:
    return frame.sort("rank", nulls_last=True).head(10)["city_id"].to_list()


@pytest.mark.parametrize(
    ("month", "previous", "lists", "cities"),
    [
        ("2024-06", "2024-05", ("composite", "facebook"), 133),
        ("2024-09", "2024-08", ("composite", "facebook"), 133),
        ("2025-02", "2025-01", ("composite",), 133),
        ("2025-05", "2025-04", ("composite", *PLATFORMS), 138),
    ],
)
def test_the_printed_lists_come_out(make, published, month, previous, lists, cities):
    made = make(month, previous)
    assert (made.status, made.composite.height) == ("final", cities)
    for name in lists:
        frame = made.composite if name == "composite" else made.platform_index.filter(platform=name)
        assert top10(frame) == published[month][f"{name}_top10"], name


@pytest.mark.parametrize(
    ("month", "previous", "city", "index", "move"),
    [
        ("2025-02", "2025-01", "杭州", None, (4, 9, 5)),
        ("2025-05", "2025-04", "成都", None, (3, 3, 0)),
        ("2025-05", "2025-04", "日照", "x", (10, 25, 15)),
        ("2025-05", "2025-04", "洛阳", "instagram", (5, 31, 26)),
    ],
)
def test_the_printed_movements_come_out(make, month, previous, city, index, move):
    """Luoyang stood 31st in April by its target score; the five cities that join in May push nobody down."""
    made = make(month, previous)
    frame = made.composite if index is None else made.platform_index.filter(platform=index)
    [row] = frame.filter(city_id=city).to_dicts()
    assert (row["rank"], row["previous_rank"], row["rank_change"]) == move


def test_the_weights_of_the_scenario(make):
    """Illustrative inputs, unchanged from May 2024 on."""
    expected = {"2024-05": (0.348, 0.226, 0.181, 0.244), "2024-06": (0.347, 0.189, 0.197, 0.267)}
    for month, weights in expected.items():
        got = make(month, "2024-04").platform_weight["weight"].to_list()
        assert got == pytest.approx(list(weights), abs=1e-3)


def test_tiktok_stays_outside(make):
    [row] = make("2025-05", "2025-04").platform_weight.filter(platform="tiktok").to_dicts()
    assert (row["eligible"], row["weight"]) == (False, 0)
    assert row["coverage"] == pytest.approx(0.188, abs=5e-4)


def test_contributions_add_up_for_every_city(make):
    made = make("2025-05", "2025-04")
    parts = dict(made.contribution.group_by("city_id").agg(pl.col("contribution").sum()).iter_rows())
    for city, score in made.composite.select("city_id", "score").iter_rows():
        assert parts[city] == pytest.approx(score, abs=1e-9)
