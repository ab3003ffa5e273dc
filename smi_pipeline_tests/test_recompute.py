"""The published figures, recomputed by scripts that share nothing with the pipeline but its exports and the method file."""

import io
import random
import re

import polars as pl
import pytest
from smi import PROJECT, SAMPLE, recompute

from smi_pipeline.index.edition import edition
from smi_pipeline.index.method import load_method
from smi_pipeline.index.weights import platform_weights
from smi_pipeline.metrics.city_month import CITY_PLATFORM_MONTH
from smi_pipeline.metrics.validity import valid_in
from smi_pipeline.months import Month

APRIL, MAY = Month.parse("2025-04"), Month.parse("2025-05")
METRICS = "metrics.city_platform_month"
HOLES = {"suspended", "partial", "carried", "not_observed", "zero_denominator"}


def test_the_scripts_are_a_page_each():
    """Whoever doubts a rank can read them through: that is their worth."""
    for script in (PROJECT / "docs").glob("*.py"):
        text = script.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 60, script.name
        assert max(map(len, text.splitlines())) <= 120, script.name
        assert not re.search(r"smi_pipeline|polars|numpy", text), script.name


@pytest.mark.parametrize("seed", range(6))
def test_every_rule_for_missing_figures_comes_out_alike(tmp_path, seed):
    """Months full of holes, which a whole lake has too few of; half of them with expert scores, half without."""
    flags = write_exports(tmp_path, random.Random(seed), final=seed % 2 == 0)
    done = recompute("recompute.py", tmp_path / "2025-05", tmp_path / "2025-04")
    assert done.returncode == 0, done.stdout + done.stderr
    compared, ranks = map(int, re.findall(r"\d+(?= scores| of them)", done.stdout))
    assert (compared > 200, ranks > 100) == (True, True)
    assert flags >= HOLES


def test_a_month_without_one_before_has_nothing_to_carry(tmp_path):
    """A city that needs last month's figures has no score then: the exports, which have one, are told to be wrong."""
    write_exports(tmp_path, random.Random(0), final=True)
    assert recompute("recompute.py", tmp_path / "2025-05", tmp_path / "nowhere").returncode == 1


@pytest.mark.parametrize("table", ["platform_index", "composite"])
@pytest.mark.parametrize(("column", "step"), [("score", 1e-6), ("rank", 1)])
def test_one_changed_figure_is_found(tmp_path, table, column, step):
    """A script that says yes to everything would be worth nothing."""
    write_exports(tmp_path, random.Random(1), final=True)
    file = tmp_path / "2025-05" / f"index.{table}.csv"
    frame = pl.read_csv(file, infer_schema_length=None).sort("rank", nulls_last=True)
    first = pl.int_range(pl.len()) == 0
    frame.with_columns(pl.when(first).then(pl.col(column) + step).otherwise(column).alias(column)).write_csv(file)
    done = recompute("recompute.py", tmp_path / "2025-05", tmp_path / "2025-04")
    assert done.returncode == 1
    assert done.stderr.count("differs by") == 1
    assert f"'{column}')" in done.stderr


def test_a_row_that_went_missing_is_found(tmp_path):
    write_exports(tmp_path, random.Random(1), final=False)
    file = tmp_path / "2025-05" / "index.composite.csv"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    assert recompute("recompute.py", tmp_path / "2025-05", tmp_path / "2025-04").returncode == 1


@pytest.mark.parametrize("seed", range(4))
def test_weights_through_two_years_of_accounts_that_come_and_go(tmp_path, seed):
    """Coverage trembles around both thresholds, inputs change half way, the cap binds: all from the files alone."""
    draw, month = random.Random(seed), Month.parse("2026-04")
    cities = [f"{100000 + number}" for number in range(20)]
    months = [Month.parse("2024-03").plus(number) for number in range(24)]
    texts = {"cities": "city_id,valid_from,valid_to\n", "accounts": "city_id,platform,in_index,valid_from,valid_to\n"}
    texts["cities"] += "".join(f"{city},{draw.choice(months[:3]).first},\n" for city in cities)
    for city in cities:
        for platform in ("facebook", "x", "instagram", "youtube", "tiktok"):
            first, last = sorted(draw.sample(months, 2))
            if draw.random() < 0.6:
                ends = last.first if draw.random() < 0.8 else ""
                texts["accounts"] += f"{city},{platform},true,{first.first},{ends}\n"
    begins = (SAMPLE / "registry" / "platform_inputs.csv").read_text(encoding="utf-8")
    later = [line.replace("2024-05,", "2025-01,", 1) for line in begins.splitlines() if ",users," in line]
    texts["platform_inputs"] = begins + "\n".join(later).replace(",0.56,", f",{draw.choice([0.1, 9.0])},") + "\n"
    frames = {
        kind: pl.read_csv(io.StringIO(text), try_parse_dates=True, schema_overrides={"city_id": pl.String})
        for kind, text in texts.items()
    }
    made = platform_weights(
        month=month,
        method=load_method("m1"),
        cities=frames["cities"].cast({"valid_to": pl.Date}),
        accounts=frames["accounts"],
        weight_inputs=frames["platform_inputs"].cast({"month": pl.String}),
    )
    folder = tmp_path / month.key
    folder.mkdir()
    made.drop("flags").write_csv(folder / "index.platform_weight.csv")
    stored = pl.DataFrame({"kind": list(texts), "text": list(texts.values()), "loaded_at": ["2026-05-10"] * len(texts)})
    stored.write_csv(folder / "raw.input_file.csv")
    done = recompute("recompute_weights.py", folder)
    assert done.returncode == 0, done.stderr
    made.with_columns(pl.col("weight") + 1e-6).drop("flags").write_csv(folder / "index.platform_weight.csv")
    assert recompute("recompute_weights.py", folder).returncode == 1


def write_exports(folder, draw, *, final):
    """The files that `smi export` would write of a made-up May and April; give the flags that occur."""
    made, flags = _made_up(draw, final=final)
    for month, tables in made.items():
        (folder / month).mkdir()
        for name, frame in tables.items():
            lists = [column for column, kind in frame.schema.items() if isinstance(kind, pl.List)]
            frame.with_columns(pl.col(lists).list.join(";")).write_csv(folder / month / f"{name}.csv")
    return flags


def _made_up(draw, *, final):
    cities = [f"{100000 + number}" for number in range(40)]
    always = {"valid_from": Month.parse("2024-05").first, "valid_to": None}
    dates = {"valid_from": pl.Date, "valid_to": pl.Date}
    registry = pl.DataFrame([{"city_id": city, **always} for city in cities], schema_overrides=dates)
    accounts = pl.DataFrame(
        [
            {"city_id": city, "platform": platform, "in_index": draw.random() < 0.95, **always}
            for city in cities[1:]
            for platform in ("facebook", "x", "instagram", "youtube", "tiktok")
            if draw.random() < (0.2 if platform == "tiktok" else 0.8)
        ],
        schema_overrides=dates,
    )
    metrics = pl.DataFrame(
        [
            {"month": month.first, "platform": platform, "city_id": city, **_figures(draw, platform)}
            for month in (APRIL, MAY)
            for city, platform in accounts.select("city_id", "platform").iter_rows()
            if draw.random() < 0.95
        ],
        schema=CITY_PLATFORM_MONTH,
    )
    inputs = pl.read_csv(
        SAMPLE / "registry" / "platform_inputs.csv", try_parse_dates=True, schema_overrides={"month": pl.String}
    )
    ratings = pl.DataFrame(
        [
            {"rater": f"R{number}", "city_id": city, "criterion": "overall", "score": 1.0 + place % 9}
            for place, city in enumerate(cities[:-1])
            for number in range(3)
        ]
    )
    made = edition(
        month=MAY,
        method=load_method("m1"),
        cities=registry,
        accounts=accounts,
        metrics=metrics,
        weight_inputs=inputs,
        experts=ratings if final else None,
        experts_previous=None,
    )
    index = {
        f"index.{name}": getattr(made, name)
        for name in ("platform_weight", "expert_agreement", "expert_city", "platform_index", "composite")
    }
    for name, frame in (("city", registry), ("account", accounts)):
        index[f"index.{name}"] = valid_in(frame, MAY).select(pl.lit(MAY.first).alias("month"), pl.all())
    flags = set(made.platform_index["flags"].explode()) | set(made.indicator_score["flags"].explode())
    of_month = {month: metrics.filter(month=month.first) for month in (APRIL, MAY)}
    return {"2025-05": {METRICS: of_month[MAY], **index}, "2025-04": {METRICS: of_month[APRIL]}}, flags


def _figures(draw, platform):
    """A city's figures on a platform: one in eight unanswered, one in eight silent, growth mostly unknown on X."""
    followers = draw.choice([None, 800, 20_000, 20_000, 900_000])
    kind = draw.randrange(8)
    if kind == 0:
        return {"followers": followers}
    hidden = 0.7 if platform == "x" else 0.15
    stock = {"followers": followers, "follower_growth": None if draw.random() < hidden else draw.randrange(-300, 4000)}
    if kind == 1:
        return {"posts": 0, "videos": 0, **stock}
    posts, videos = draw.choice([1, 12, 90]), draw.choice([0, 3, 40])
    videos = posts if platform in {"youtube", "tiktok"} else videos
    interactions = None if draw.random() < 0.1 else draw.choice([0, 40, 5000, 400_000])
    views = None if draw.random() < 0.1 or not videos else draw.choice([100, 80_000])
    return {
        "posts": posts,
        "videos": videos,
        "interactions": interactions,
        "engagement_rate": None if interactions is None else interactions / posts,
        "views": views,
        "view_rate": None if views is None else views / videos,
        **stock,
    }
