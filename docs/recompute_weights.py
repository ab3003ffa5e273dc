"""A month's platform weights from inputs and registry alone: recompute_weights.py m1.toml 2025-05/ (docs/method.md)."""

import csv
import sys
import tomllib
from io import StringIO
from pathlib import Path

csv.field_size_limit(10**9)  # a cell of raw.input_file is a whole file
method, folder, known = tomllib.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]), {}
for row in sorted(csv.DictReader((folder / "raw.input_file.csv").open()), key=lambda row: row["loaded_at"]):
    known[row["kind"]] = sorted(csv.DictReader(StringIO(row["text"])), key=lambda line: line.get("month", ""))  # newest
rule, frozen = method["platform_weights"], method["goalposts"]["frozen_from"]


def valid(rows, month):  # those whose validity touches a day of the month; valid_to is the first day no longer valid
    return [r for r in rows if r["valid_from"][:7] <= month and (not r["valid_to"] or r["valid_to"] > f"{month}-01")]


def shared(amounts, whole=1.0):
    return {platform: whole * amount / sum(amounts.values()) for platform, amount in amounts.items()}


def capped(free, low, high):  # water-filling: what is beyond a bound is set to it, the others share out the rest
    fixed = {}
    while True:
        free = shared(free, 1 - sum(fixed.values()))
        over = {platform: weight - high for platform, weight in free.items() if weight > high + 1e-12}
        under = {platform: low - weight for platform, weight in free.items() if weight < low - 1e-12}
        if not over and not under:
            return fixed | free
        fixed |= dict.fromkeys(over, high) if sum(over.values()) >= sum(under.values()) else dict.fromkeys(under, low)
        free = {platform: weight for platform, weight in free.items() if platform not in fixed}


weights, coverage, counts = rule["start"], {p: [] for p in ("facebook", "x", "instagram", "youtube", "tiktok")}, {}
first, end = (int(m[:4]) * 12 + int(m[5:7]) - 1 for m in (min(r["valid_from"] for r in known["cities"]), folder.name))
for month in (f"{number // 12}-{number % 12 + 1:02}" for number in range(first, end + 1)):
    cities = {r["city_id"] for r in valid(known["cities"], month)}
    held = {(r["platform"], r["city_id"]) for r in valid(known["accounts"], month) if r["in_index"] == "true"}
    for platform, shares in coverage.items():
        if month >= method["platforms_from"].get(platform, month):
            share = sum((platform, city) in held for city in cities) / len(cities)
            shares.extend([share] * (1 if shares else rule["months"]))  # a first month decides alone
            least, most = min(shares[-rule["months"] :]), max(shares[-rule["months"] :])
            counts[platform] = most >= rule["leave_below"] if counts.get(platform) else least >= rule["enter_from"]
    inputs = {(r["factor"], r["platform"]): r for r in known["platform_inputs"] if r["month"] <= month}
    base = {platform: 0.0 for _, platform in inputs}
    for factor, weight in rule["factors"].items():
        by_users = [p for p in base if inputs[factor, p]["unit"] == rule["per_user_unit"]]
        times = {p: float(inputs["users", p]["value"]) for p in by_users}
        parts = shared({p: float(inputs[factor, p]["value"]) * times.get(p, 1) for p in base})
        base = {p: base[p] + weight * parts[p] for p in base}
    target = shared({p: b for p, b in base.items() if counts.get(p) and month >= frozen.get(p, month)})
    mixed = {p: rule["smoothing"] * w + (1 - rule["smoothing"]) * weights.get(p, w) for p, w in target.items()}
    weights = capped(shared(mixed), rule["floor"], max(rule["cap"], 1 / max(len(mixed), 1))) if inputs else weights
theirs = {r["platform"]: float(r["weight"]) for r in csv.DictReader((folder / "index.platform_weight.csv").open())}
off = {platform: abs(weights.get(platform, 0) - weight) for platform, weight in theirs.items()}
print(f"{len(off)} platform weights compared, largest difference {max(off.values()):.1e}")
sys.exit("\n".join(f"{platform} differs by {off[platform]}" for platform in off if off[platform] > 1e-9) or 0)
