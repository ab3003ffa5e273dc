"""Eight processes write at once, into the same tables, each into a month of its own and all into the same."""

import json
import subprocess
import sys

from smi import PROJECT, environment

WRITER = PROJECT / "smi_pipeline_tests" / "writer.py"
WRITERS, ROUNDS, ACCOUNTS, POSTS = 8, 3, 4, 25


def start(lake, settings, *arguments):
    named = environment(SMI_LAKE=str(lake.path), **settings)
    command = [sys.executable, WRITER, *map(str, arguments)]
    return subprocess.Popen(command, env=named, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_of_eight_writers_nothing_is_lost_or_doubled_and_the_last_ones_month_is_whole(lake, elsewhere):
    """None of them has to write anything a second time: appends pass each other, replacements wait for each other."""
    writers = [start(lake, elsewhere, who, ROUNDS, ACCOUNTS, POSTS) for who in range(WRITERS)]
    assert [writer.stdout.readline() for writer in writers] == [f'{{"ready": {who}}}\n' for who in range(WRITERS)]
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    said = [[json.loads(line) for line in writer.communicate(timeout=300)[0].splitlines()] for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * WRITERS
    assert [lines[-1] for lines in said] == [{"again": []}] * WRITERS
    assert [sum("appended" in line for line in lines) for lines in said] == [ROUNDS] * WRITERS

    shared = {
        line["snapshot"]: (who, line["number"])
        for who, lines in enumerate(said)
        for line in lines
        if line.get("replaced") == "2025-05-01"
    }
    assert len(shared) == WRITERS * ROUNDS
    last = shared[max(shared)]
    with lake.read() as cursor:

        def rows(sql):
            return cursor.execute(sql).fetchall()

        written = WRITERS * ROUNDS * ACCOUNTS
        assert rows("select count(*), count(distinct id) from raw.x_posts") == [(written * POSTS, written * POSTS)]
        assert rows("select count(*), count(distinct account_id) from raw.x_accounts") == [(written, written)]
        assert rows("select count(*), count(distinct collection_id) from raw.collection_log") == [
            (WRITERS * ROUNDS, WRITERS)
        ]
        assert rows("select sum(requests) from raw.request_ledger") == [(WRITERS * ROUNDS,)]
        per_month = "select who, number, count(*), count(distinct n) from metrics.sums where {} group by all order by 1"
        whole = (ACCOUNTS * POSTS, ACCOUNTS * POSTS)
        assert rows(per_month.format("month = '2025-05-01'")) == [(*last, *whole)]
        assert rows(per_month.format("month < '2025-05-01'")) == [(who, ROUNDS - 1, *whole) for who in range(WRITERS)]
