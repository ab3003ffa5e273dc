"""The scores and ranks of an edition from its exports: recompute.py m1.toml 2025-05/ 2025-04/ (see docs/method.md)."""

import csv
import sys
import tomllib
from fractions import Fraction
from math import asinh, inf, log1p
from pathlib import Path

method = tomllib.loads(Path(sys.argv[1]).read_text())
now, before = ({f.stem: list(csv.DictReader(f.open())) for f in Path(one).glob("*.csv")} for one in sys.argv[2:4])
tree, released, rates = method["indicators"], now["index.expert_agreement"][0]["released"], method.get("rates")
least, most, full = (Fraction(str(method["missing"][k])) for k in ("partial_from", "suspended_above", "ranked_from"))
weights = {row["platform"]: float(row["weight"]) for row in now["index.platform_weight"] if row["eligible"] == "true"}
share = {name: rule["weight"] for name, rule in (tree | method["groups"]).items()} | method["composite"] | weights


def points(row, platform):  # 0 to 100 between the goalposts; None: not known. Silence is known to have had no response
    given = {}
    for name, (low, high) in method["goalposts"][platform].items():
        to = log1p if tree[name]["transform"] == "ln1p" else lambda x: asinh(x / 100)
        column = name + ("_reported" if "rate" in name and rates == "reported" and row.get("complete_posts") else "")
        x = row.get(column) or (0 if row.get("posts") == "0" and "follower" not in name else None)
        given[name] = None if x is None else 100 * min(max((to(float(x)) - to(low)) / (to(high) - to(low)), 0), 1)
    return given


def mean(given, part=0):  # of what is known, by weight; None where that has less than a part of the whole weight
    known = {name: value for name, value in given.items() if value is not None}
    weight, whole = (sum(share[name] for name in names) for names in (known, given))
    return sum(share[n] * y for n, y in known.items()) / weight if known and weight >= (part - 1e-9) * whole else None


experts, scores, mine, theirs = {row["city_id"]: row["qualitative"] for row in now["index.expert_city"]}, {}, {}, {}
panel = {(row["platform"], row["city_id"]) for row in now["index.account"] if row["in_index"] == "true"}
lines = [{(r["platform"], r["city_id"]): r for r in of.get("metrics.city_platform_month", [])} for of in (now, before)]
for platform in (row["platform"] for row in now["index.platform_weight"]):
    own, old = ({c: points(of.get((p, c), {}), p) for p, c in panel if p == platform and c in experts} for of in lines)
    posts = {city: lines[0].get((platform, city), {}).get("posts") for city in own}  # without an answer None or empty
    active = [city for city in own if posts[city] not in {"0", "", None}] or [city for city in own if posts[city]]
    left = [n for n in method["goalposts"][platform] if sum(own[c][n] is None for c in active) <= most * len(active)]
    groups = {group: [n for n in left if tree[n]["group"] == group] for group in {tree[n]["group"] for n in left}}
    for city, known in own.items():
        filled = {n: old[city][n] if y is None and n != "follower_growth" else y for n, y in known.items()}
        one, two = (mean({g: mean({n: y[n] for n in groups[g]}, least) for g in groups}, 1) for y in (known, filled))
        scores[platform, city] = two if one is None else one  # the month before stands in only where one is needed
for city, judged in experts.items():
    given = {platform: scores.get((platform, city), 0) for platform in weights}  # no account: 0; no answer: None
    parts = {"quantitative": mean(given), "qualitative": float(judged) if judged and released == "true" else None}
    parts["score"] = score = mean(parts, released == "true")  # final: of both; provisional: of what there is
    mine |= {("composite", city, name): part for name, part in parts.items() if part is not None}
    scores["composite", city] = score if city in {c for _, c in panel} and mean(given, full) is not None else None
ranked = {key: round(score, method["ranks"]["decimals"]) for key, score in scores.items() if score is not None}
mine |= {(*key, "score"): scores[key] for key in ranked}
mine |= {(i, c, "rank"): 1 + sum(o > s for (of, _), o in ranked.items() if of == i) for (i, c), s in ranked.items()}
for r in now["index.platform_index"] + now["index.composite"]:
    theirs |= {(r.get("platform", "composite"), r["city_id"], n): float(r[n]) for n in (*parts, "rank") if r.get(n)}
off = {key: abs(mine.get(key, inf) - theirs.get(key, -inf)) for key in mine.keys() | theirs.keys()}
print(f"{len(off)} scores and ranks compared, {len(ranked)} of them ranks; largest difference {max(off.values()):.1e}")
sys.exit("\n".join(f"{key} differs by {off[key]}" for key in off if off[key] > 1e-9) or 0)
