"""A process that collects, derives and compacts a month, and is killed on the way: for tests.

    killed.py [OPERATION WHERE POINT]

OPERATION is append (the second batch), replace or compact. WHERE `line`: SIGKILL comes before the POINT-th line of the
lake's own code that the operation runs. WHERE `commit`: it comes POINT seconds after the operation's last COMMIT began.
What was committed is said as soon as COMMIT has returned; without a point also how many lines each operation ran and how
long its last COMMIT took. Another run goes on where the first was broken off.
"""

import linecache
import os
import signal
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from writer import MAY, answer, asking, say

from smi_pipeline import lake as package
from smi_pipeline.lake.care import compact
from smi_pipeline.lake.collections import Subject, open_collection
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.derived import replace_month
from smi_pipeline.registry.models import Account
from smi_pipeline.settings import Settings

CODE = str(Path(package.__file__).parent)
ACCOUNTS, BATCH, POSTS = 6, 2, 25  # more than ten rows: a file, and not rows in the catalog
SUMS = (
    "select month, account_id, count(*)::bigint as posts, sum(like_count)::bigint as likes from raw.x_posts"
    " where collection_id = (select max(collection_id) from raw.collection_log) and month = getvariable('month')"
    " group by all"
)
COMMITS_OF = {"append": 1, "replace": 1, "compact": 2}  # what is in the catalog into files, then small files together


def main(operation=None, where=None, point=None):
    lake = Lake.configured(Settings(_env_file=None))
    points = Points(operation, where, point and float(point))
    collect(lake, "final", points)
    with points.of("replace"):
        replace_month(lake, "metrics.sums", MAY, SUMS)
        say(replaced=True)
    with points.of("compact"):
        compact(lake)
        say(compacted=True)
    if operation is not None:
        time.sleep(120)  # a late point is still to come
    say(measured=points.measured)


def collect(lake, cut, points):
    """Ask for the accounts that are not done yet, two at a time."""
    names = [f"{cut}_{number}" for number in range(ACCOUNTS)]
    accounts = [Account(city_id="c", platform="x", handle=name, account_id=name) for name in names]
    collection, todo = open_collection(lake, Subject("x", MAY, cut, synthetic=True), accounts, force=False)
    for first in range(0, len(todo), BATCH):
        asked = todo[first : first + BATCH]
        answers = [answer(account.account_id, POSTS) for account in asked]
        with points.of("append" if first == BATCH else None):
            collection.append(answers, asking(1), last=first + BATCH >= len(todo))
            say(appended=[account.account_id for account in asked])


class Points:
    """Where the process is to be killed; what passes is measured."""

    def __init__(self, operation, where, point):
        self.operation, self.where, self.point = operation, where, point
        self.measured = {}

    @contextmanager
    def of(self, operation):
        """Watch the block, which is this operation (null: none of interest)."""
        if operation is None or self.operation not in (None, operation):
            yield
            return
        self.lines, self.commits, self.began, self.took = 0, 0, None, None
        sys.settrace(self._trace)
        try:
            yield
        finally:
            sys.settrace(None)
        self.measured[operation] = {"lines": self.lines, "commit": self.took}

    def _trace(self, frame, event, argument):
        if not frame.f_code.co_filename.startswith(CODE):
            return None
        if event == "line":
            self._line(linecache.getline(frame.f_code.co_filename, frame.f_lineno))
        return self._trace

    def _line(self, text):
        self.lines += 1
        if self.began is not None:
            self.took, self.began = time.perf_counter() - self.began, None
        if self.where == "line" and self.lines == self.point:
            os.kill(os.getpid(), signal.SIGKILL)
        if 'execute("commit")' in text:
            self.commits, self.began = self.commits + 1, time.perf_counter()
            if self.where == "commit" and self.commits == COMMITS_OF[self.operation]:
                threading.Timer(self.point, os.kill, (os.getpid(), signal.SIGKILL)).start()


class Unwatched:
    """No point at all."""

    @contextmanager
    def of(self, operation):
        yield


if __name__ == "__main__":
    main(*sys.argv[1:])
