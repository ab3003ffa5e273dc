"""Two sensors on what people drop into the lake's inbox: expert scores, and files of a vendor.

A file counts once it has not changed between two ticks, so one that is still being copied is left alone. The cursor
knows each file by size and time: a daemon that starts again does nothing twice, and the keys of the runs say the same.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final, Self

import dagster as dg

from smi_pipeline.defs.inputs import dropped_expert_scores, dropped_scores, expert_scores_folder
from smi_pipeline.defs.jobs import checks_to_request, collect, derive, snapshots
from smi_pipeline.defs.partitions import DAYS, MONTHS
from smi_pipeline.defs.runs import DAY, EVERY, MONTH, SENSORS
from smi_pipeline.file_names import entries, folded, not_read
from smi_pipeline.lake.collections import collected
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.notices import Notice, close, open_notices, tell
from smi_pipeline.months import Month, parse_day
from smi_pipeline.registry.load import RegistryError
from smi_pipeline.registry.models import PLATFORMS
from smi_pipeline.settings import Settings, settings

REJECTED: Final = "rejected"
_MEANT: Final = re.compile(r"[0-9]{4}[^0-9a-z]{0,2}[0-9]{1,2}")
_MISNAMED: Final = "file vendor "


@dataclass
class _Cursor:
    """What was there at the last tick, and what is done with; by name, known by its stamp."""

    there: Mapping[str, str] = field(default_factory=dict)
    done: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str | None) -> Self:
        return cls() if text is None else cls(**json.loads(text))

    def settled(self, there: Mapping[str, str]) -> list[str]:
        """What is as it was at the last tick and not done with yet."""
        return [name for name, stamp in there.items() if self.there.get(name) == stamp != self.done.get(name)]

    def after(self, there: Mapping[str, str]) -> str:
        """The cursor to keep; what is gone is forgotten, so that it may come again."""
        done = {name: stamp for name, stamp in self.done.items() if name in there}
        return json.dumps({"there": there, "done": done})


@dg.sensor(
    job=derive,
    minimum_interval_seconds=EVERY,
    default_status=SENSORS,
    description="Expert scores in <lake>/inbox/expert_scores: validated, and their month derived with them.",
)
def expert_scores(context: dg.SensorEvaluationContext, lake: dg.ResourceParam[Lake]) -> dg.SensorResult:
    """Derive the month of each new file; put one that is not usable aside, its mistakes beside it."""
    folder, cursor, now = expert_scores_folder(lake), _Cursor.of(context.cursor), datetime.now(UTC)
    there = {path.name: _stamp([path]) for path in dropped_scores(lake)}
    requests, said = [], []
    for name in cursor.settled(there):
        try:
            file = dropped_expert_scores(lake, settings(), folder / name)
        except RegistryError as error:
            aside = _put_aside(folder / name, str(error), now)
            tell(lake, _not_usable(name, there.pop(name), str(error), aside), now)
            said.append(f"{name} is put aside")
            continue
        cursor.done[name] = there[name]
        close(lake, f"file expert_scores {name} ", f"expert scores {name}: usable now", now)
        month = Month.parse(file.name.removesuffix(".csv"))
        if not MONTHS.has_partition_key(month.key) or not collected(lake, month.first):
            said.append(f"{month} is not collected yet; its expert scores wait for it")
            continue
        key = f"expert_scores {month} {file.sha256}"
        requests.append(dg.RunRequest(run_key=key, partition_key=month.key, tags={MONTH: month.key}))
    waiting = [name for name in there if cursor.there.get(name) != there[name]]
    said += [f"{name} is new and looked at at the next tick" for name in waiting]
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else dg.SkipReason("; ".join(said) or "nothing new"),
        cursor=cursor.after(there),
    )


def _not_usable(name: str, stamp: str, problems: str, aside: Path) -> Notice:
    return Notice(
        cause=f"file expert_scores {name} {stamp}",
        kind="failure",
        title=f"expert scores {name} are not usable",
        text=f"{problems}\nThe file is at {aside}; mend it and drop it again.",
    )


def _put_aside(path: Path, error: str, now: datetime) -> Path:
    """Move a file to `rejected/` beside it, with its mistakes in a text file of the same name."""
    folder = path.parent / REJECTED
    folder.mkdir(exist_ok=True)
    aside = folder / f"{path.stem}.{now:%Y%m%dT%H%M%SZ}{path.suffix}"
    aside.with_suffix(".error.txt").write_text(f"{error}\n", encoding="utf-8")
    return path.rename(aside)


@dg.sensor(
    jobs=[collect, snapshots],
    minimum_interval_seconds=EVERY,
    default_status=SENSORS,
    description="A vendor's folder of a month or day, new or changed: read for the platforms that come from files.",
)
def vendor_files(context: dg.SensorEvaluationContext, lake: dg.ResourceParam[Lake]) -> dg.SensorResult:
    """Collect each new folder anew; what was there before the first tick and is collected already is not new."""
    rules = settings()
    platforms = [platform for platform in PLATFORMS if rules.files(platform, "") is not None]
    if not platforms:
        return dg.SensorResult(skip_reason="no platform comes from files (SMI_FACEBOOK_SOURCE and the like)")
    cursor = _Cursor.of(context.cursor)
    now, folder = datetime.now(UTC), _vendor_folder(rules)
    there = {path.name: _stamp(entries(path)) for path in _periods(folder)}
    said = _misnamed(lake, folder, now)
    if context.cursor is None:
        cursor.done = {name: stamp for name, stamp in there.items() if collected(lake, *_period(name))}
    requests = []
    for name in cursor.settled(there):
        cursor.done[name] = there[name]
        month, day = _period(name)
        kind, group, days = ("raw", collect, MONTHS) if day is None else ("snapshots", snapshots, DAYS)
        if not days.has_partition_key(name):
            said.append(f"{name} is no period of this index: its files are not read")
            context.log.warning(said[-1])
            continue
        keys = [dg.AssetKey([kind, platform]) for platform in platforms]
        # What a new folder says is a collection of its own, even where one is there.
        again = {"config": {"force": True}} if day is None and collected(lake, month) else {}
        requests.append(
            dg.RunRequest(
                run_key=f"vendor {name} {there[name]}",
                job_name=group.name,
                partition_key=name,
                tags={MONTH if day is None else DAY: name},
                asset_selection=keys,
                asset_check_keys=checks_to_request(context, group.name, keys),
                run_config={"ops": {f"{kind}__{platform}": again for platform in platforms}} if again else {},
            )
        )
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else dg.SkipReason("; ".join([f"{len(there)} folders, none new", *said])),
        cursor=cursor.after(there),
    )


def _vendor_folder(rules: Settings) -> Path:
    return rules.vendor_files or rules.lake / "inbox" / "vendor"


def _periods(folder: Path) -> list[Path]:
    """The folders that are called like a month or a day."""
    return [path for path in entries(folder) if path.is_dir() and _is_period(path.name)]


def _misnamed(lake: Lake, folder: Path, now: datetime) -> list[str]:
    """Report what looks like a period and is not called like one, or is no folder, and of files outside any folder.

    Each is reported once, and closed when it is gone. Gives a line each.
    """
    wrong = {
        path: not_read(path, "a folder called by its month or day, like 2025-05 or 2025-05-31")
        for path in entries(folder)
        if (_MEANT.match(folded(path.name)) or path.is_file()) and not (path.is_dir() and _is_period(path.name))
    }
    for path, text in wrong.items():
        title = f"vendor's {path.name} is not read"
        tell(lake, Notice(cause=f"{_MISNAMED}{path.name} ", kind="failure", title=title, text=text), now)
    for notice in open_notices(lake):
        name = notice.cause.removeprefix(_MISNAMED).removesuffix(" ")
        if notice.cause.startswith(_MISNAMED) and folder / name not in wrong:
            close(lake, notice.cause, f"vendor's {name}: no longer there", now)
    return list(wrong.values())


def _is_period(name: str) -> bool:
    try:
        _period(name)
    except ValueError:
        return False
    return True


def _period(name: str) -> tuple[date, date | None]:
    """A folder's month, by its first day, and its day where it is about one.

    Raises:
        ValueError: it is called like neither.
    """
    if len(name) == len("2025-05"):
        return Month.parse(name).first, None
    day = parse_day(name)
    return day.replace(day=1), day


def _stamp(files: list[Path]) -> str:
    """What changes when a file does: names, sizes, times. Contents are not read."""
    seen = [(path.name, path.stat() if path.exists() else path.lstat()) for path in files]  # a link may lead nowhere
    told = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in seen]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]
