"""A process that writes to the lake its settings name, for tests and benchmarks: it appends and replaces in turn.

    writer.py WHO ROUNDS ACCOUNTS POSTS

It says `ready` when the lake is open, waits for a line, and then says of everything it has written what and, where a
month was replaced, in which snapshot; at the end how often a transaction had to be done again.
"""

import json
import sys
from datetime import UTC, date, datetime

import polars as pl
import stamina

from smi_pipeline.collectors.records import AccountResult, Spent
from smi_pipeline.lake.collections import Asking, Collection, Subject
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.derived import replace_month
from smi_pipeline.registry.models import Account
from smi_pipeline.settings import Settings

MAY = date(2025, 5, 1)
SEEN = datetime(2025, 6, 9, 22, tzinfo=UTC)


def collection(lake, who):
    """A collection of its own, whose rows go to the same tables and the same month as everybody's."""
    return Collection(lake, Subject("x", MAY, "snapshot", synthetic=True, day=date(2025, 5, 1 + who)), 10**6, None)


def batch(who, number, accounts, posts):
    """Answers of accounts that nobody else asks: their posts are called after writer, round, account and place."""
    return [answer(f"w{who}_{number}_{account}", posts) for account in range(accounts)]


def answer(name, posts):
    seen = {"account_id": name, "platform_account_id": name, "observed_at": SEEN}
    rows = [
        seen | {"id": f"{name}_{post}", "text": "Spring in the old town", "like_count": post, "payload": "{}"}
        for post in range(posts)
    ]
    account = Account(city_id="c", platform="x", handle=name, account_id=name)
    return AccountResult(account, "answered", None, SEEN, [seen | {"followers_count": 5, "payload": "{}"}], rows)


def asking(number):
    return Asking(number + 1, number + 1, [Spent(SEEN.date(), "timeline", 1, 1, 0, 0.0)])


def month_of(month, who, number, rows):
    """Rows of a derived month that all tell who wrote them, and when."""
    return pl.DataFrame({"month": [month] * rows, "who": [who] * rows, "number": [number] * rows, "n": range(rows)})


def say(**what):
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main(who, rounds, accounts, posts):
    lake = Lake.configured(Settings(_env_file=None))
    again = []
    stamina.instrumentation.set_on_retry_hooks([lambda details: again.append(repr(details.caused_by))])
    with lake.read():
        own = collection(lake, who)
    say(ready=who)
    sys.stdin.readline()
    for number in range(rounds):
        own.append(batch(who, number, accounts, posts), asking(number))
        say(appended=number)
        for month in (MAY, date(2000 + who, 1, 1)):
            done = replace_month(lake, "metrics.sums", month, month_of(month, who, number, accounts * posts))
            say(replaced=str(month), number=number, snapshot=done.snapshot)
    say(again=again)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
