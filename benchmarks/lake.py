"""The lake with eight writers, and with thirty million posts.

    .venv/bin/python benchmarks/lake.py

Writers: processes that append batches of posts and replace months of a derived table, one alone and eight at once, the
same work in all, on SQLite with files and on PostgreSQL with an S3-compatible store (both started here). Prints rounds
a second and their ratio (target 0.9), and how often a transaction had to be done again (target 0).

Posts: four months of 7.5 million posts of 25,000 accounts, and smaller ones, on one platform. Prints CPU and wall of
the sums per account over the bare Parquet files, written by hand for one known collection; of the model's SELECT over
the lake, with the choice of the collection and of each post's last observation (target 1.1 times the bare sums); of the
whole step, with checks and commit; and the peak memory of its process (target 2 GiB). What a process loads once is not
counted. Figures of one run, to be compared with each other.
"""

from __future__ import annotations

import json
import multiprocessing
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb

from smi_pipeline.lake.collections import Asking, Collection, Subject
from smi_pipeline.lake.connection import Lake
from smi_pipeline.sql.graph import build_graph
from smi_pipeline.sql.project import load_project
from smi_pipeline.sql.run import build_views, run_model

TESTS = Path(__file__).parents[1] / "smi_pipeline_tests"
sys.path.insert(0, str(TESTS))
from servers import serving  # noqa: E402
from smi import environment  # noqa: E402

WRITERS, ROUNDS, ACCOUNTS, POSTS, REPEATS = 8, 4, 40, 50, 3
LARGE = [date(2025, month, 1) for month in range(1, 5)]
SIZES = dict.fromkeys(LARGE, 7_500_000) | {date(2025, 5, 1): 500_000, date(2025, 6, 1): 50_000}
OF_AN_ACCOUNT, COMMITTED = 300, 500_000
OTHERS = ("facebook", "instagram", "youtube", "tiktok", "vendor")
MODEL = "int_account_month_posts"


def main() -> None:
    """Measure writers first, then posts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        writers(folder)
        posts(Lake.of(folder / "posts"))


def writers(folder: Path) -> None:
    """One writer and eight in turn, on both kinds of lake."""
    print(f"rounds a second              one writer  {WRITERS} writers   ratio  done again")
    with serving(folder / "servers") as servers:
        for kind in ("SQLite, files", "PostgreSQL, S3"):
            one, many, again = [], [], 0
            for repeat in range(REPEATS):
                for number, rates in ((1, one), (WRITERS, many)):
                    name = f"w{kind[0].lower()}{repeat}_{number}"
                    settings = servers.fresh(name) if kind.startswith("P") else {}
                    rate, retries = written(folder / name / "lake", settings, number)
                    rates.append(rate)
                    again += retries
            ratio = statistics.median(b / a for a, b in zip(one, many, strict=True))
            shown = statistics.median(one), statistics.median(many)
            print(f"{kind:28} {shown[0]:10.2f} {shown[1]:10.2f} {ratio:7.2f} {again:11d}")


def written(path: Path, settings: dict[str, str], number: int) -> tuple[float, int]:
    """Rounds a second of so many processes that share the work, and the transactions they did again."""
    command = [sys.executable, TESTS / "writer.py"]
    shares = [[who, ROUNDS * WRITERS // number, ACCOUNTS, POSTS] for who in range(number)]
    processes = [
        subprocess.Popen(  # noqa: S603  our own program
            [*command, *map(str, share)],
            env=environment(SMI_LAKE=str(path), **settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for share in shares
    ]
    for process in processes:
        process.stdout.readline()  # ready
    began = time.perf_counter()
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate()[0].splitlines() for process in processes]
    took = time.perf_counter() - began
    if failed := [process.returncode for process in processes if process.returncode]:
        sys.exit(f"{len(failed)} of {number} writers failed")
    return ROUNDS * WRITERS / took, sum(len(json.loads(lines[-1])["again"]) for lines in said)


def posts(lake: Lake) -> None:
    """Write the months, then measure each three ways in processes of their own, in turn."""
    for month, size in SIZES.items():
        write(lake, month, size)
    build_views(lake, build_graph(load_project()))
    print("posts a month       bare sums      model's SELECT     ratio     whole step        MiB")
    print("                    CPU s  wall s   CPU s  wall s   CPU  wall   CPU s us/post     peak")
    for months in (LARGE, *([month] for month in SIZES if month not in LARGE)):
        repeats = [[apart(lake, month) for month in months] for _ in range(REPEATS)]
        show(SIZES[months[0]], repeats)


def show(size: int, repeats: list[list[dict[str, tuple[float, float, int]]]]) -> None:
    """One line: the months' sums, the median of the repeats."""

    def over(way: str, what: int) -> list[float]:
        return [sum(month[way][what] for month in months) for months in repeats]

    def ratio(what: int) -> float:
        return statistics.median(b / a for a, b in zip(over("bare", what), over("select", what), strict=True))

    figures = [statistics.median(over(way, what)) for way in ("bare", "select") for what in (0, 1)]
    step = statistics.median(over("step", 0))
    peak = max(month["step"][2] for months in repeats for month in months)
    number = len(repeats[0])
    print(
        f"{f'{number} x {size:,}':18} {figures[0]:6.2f} {figures[1]:7.2f} {figures[2]:7.2f} {figures[3]:7.2f}"
        f" {ratio(0):5.2f} {ratio(1):5.2f} {step:7.2f} {1e6 * step / size / number:7.2f} {peak / 1024:8.0f}"
    )


def apart(lake: Lake, month: date) -> dict[str, tuple[float, float, int]]:
    """CPU and wall seconds and peak KiB of the three ways, each in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        return {way: pool.apply(measured, (way, lake, month)) for way in ("bare", "select", "step")}


def measured(way: str, lake: Lake, month: date) -> tuple[float, float, int]:
    """One way, once."""
    model = load_project()[MODEL]
    if way == "bare":
        cursor = duckdb.connect()
        cursor.execute("set TimeZone = 'UTC'")
        sql = bare(lake.path / "tables" / "raw" / "x_posts", month)
    else:
        cursor = lake._cursor()  # noqa: SLF001  a reader's, without its transaction
        sql = model.sql
    cursor.execute("set variable month = $1::date", [month])
    began, spent = time.perf_counter(), cpu_seconds()
    if way == "step":
        run_model(lake, model, month)
    else:
        cursor.execute(f"create temp table sums as {sql}")
    took = cpu_seconds() - spent, time.perf_counter() - began
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return *took, int(re.findall(r"VmHWM:\s+(\d+)", status)[0])


def bare(files: Path, month: date) -> str:
    """The same sums as one would write them for files of which the wanted collection is known."""
    return f"""
        select 'x' as platform, account_id, month, is_repost,
            count(*) as posts, count(*) filter (where is_video) as videos,
            try_cast(sum(likes) as bigint) as likes, try_cast(sum(comments) as bigint) as comments,
            try_cast(sum(shares) as bigint) as shares, try_cast(sum(views) filter (where is_video) as bigint) as views
        from (
            select account_id, month, like_count as likes, reply_count as comments, impression_count as views,
                try_cast(list_sum([retweet_count, quote_count]) as bigint) as shares,
                coalesce(list_has_any(referenced_tweet_types, ['retweeted', 'reposted']), false) as is_repost,
                not is_repost and coalesce(list_contains(media_types, 'video'), false) as is_video
            from read_parquet('{files}/month={month}/*.parquet', hive_partitioning = false)
            where collection_id = '{month:%Y-%m}.x.0001'
        )
        group by all"""


def write(lake: Lake, month: date, size: int) -> None:
    """A finished collection of so many posts, whole accounts together, half a million a commit."""
    at = datetime(month.year, month.month, 1, tzinfo=UTC) + timedelta(days=40)
    collection = Collection(lake, Subject("x", month, "final", synthetic=True), 0, None)
    collection.stop("running", Asking(), at=at)
    for first in range(0, size, COMMITTED):
        with lake.write(f"posts {first} and on") as transaction:
            transaction.cursor.execute(
                MADE, {"month": month, "at": at, "first": first, "end": min(size, first + COMMITTED)}
            )
    with lake.write("a post each, as tables without any take longer to plan") as transaction:
        for name in OTHERS:
            transaction.cursor.execute(
                f"insert into raw.{name}_posts (collection_id, month) values ('none', $1)", [month]
            )
    collection.close()


MADE = """
insert into raw.x_posts by name
select
    strftime($month, '%Y-%m') || '.x.0001' as collection_id,
    $month::date as month,
    'account' || (i // 300) as account_id,
    (9000000 + i // 300)::varchar as platform_account_id,
    $at::timestamptz as observed_at,
    '19' || lpad(i::varchar, 17, '0') as id,
    strftime($month::timestamp + to_seconds(i % 2419200), '%Y-%m-%dT%H:%M:%S.000Z') as created_at,
    'Spring in the old town, day ' || i % 31 || ': lanterns and tea by the river #travel #city' || i % 300 as text,
    'en' as lang,
    (hash(i) % 40)::bigint as retweet_count,
    (hash(i + 1) % 30)::bigint as reply_count,
    case when i % 20 > 0 then (hash(i + 2) % 5000)::bigint end as like_count,
    (hash(i + 3) % 9)::bigint as quote_count,
    (hash(i + 4) % 100000)::bigint as impression_count,
    if(i % 11 = 0, ['retweeted'], []::varchar[]) as referenced_tweet_types,
    case i % 3 when 0 then ['video'] when 1 then ['photo'] else []::varchar[] end as media_types,
    json_object('id', '19' || lpad(i::varchar, 17, '0'), 'like_count', hash(i + 2) % 5000) as payload
from range($first::bigint, $end::bigint) as numbers(i)
"""


def cpu_seconds() -> float:
    """User and system time of this process, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
