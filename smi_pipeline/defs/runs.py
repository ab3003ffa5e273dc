"""Tags and pools of the project's runs, and what they tell about themselves; whether schedules and sensors are on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import dagster as dg

from smi_pipeline.registry.models import PLATFORMS, Platform
from smi_pipeline.settings import settings

MONTH: Final = "smi/month"  # dagster.yaml lets one run of a month in at a time
DAY: Final = "smi/day"
ATTEMPT: Final = "smi/attempt"  # counts the tries of one collection
STARTED_BY: Final = "smi/started_by"
COMMAND_LINE: Final = "command line"

EVERY: Final = settings().sensor_seconds
SCHEDULES: Final = dg.DefaultScheduleStatus.RUNNING if settings().unattended else dg.DefaultScheduleStatus.STOPPED
SENSORS: Final = dg.DefaultSensorStatus.RUNNING if settings().unattended else dg.DefaultSensorStatus.STOPPED


def period_of(tags: Mapping[str, str]) -> str | None:
    """The partition a run is about, or the first and last of its range; null for a run without one."""
    one = tags.get("dagster/partition")
    if one is not None:
        return one
    first, last = (tags.get(f"dagster/asset_partition_range_{end}") for end in ("start", "end"))
    return None if first is None else first if first == last else f"{first}..{last}"


def attempt_of(tags: Mapping[str, str]) -> int:
    """The how manieth try of a collection a run is; the first one is not counted by a tag."""
    return int(tags.get(ATTEMPT, "1"))


def pool_of(platform: Platform) -> str:
    """The pool of what asks a platform's API."""
    return f"api_{platform}"


def limit_pools(instance: dg.DagsterInstance) -> None:
    """Give each pool an instance does not know yet the limit its dagster.yaml has for all.

    Dagster does so when it first finds a run of the pool in the queue, and lets all in that wait there in that moment:
    it has read the pools with a limit before. A limit that somebody has set is left alone.
    """
    if instance.global_op_concurrency_default_limit is None:
        return
    storage = instance.event_log_storage
    known = {pool.name for pool in storage.get_pool_limits()}
    for name in map(pool_of, PLATFORMS):
        if name not in known:
            storage.initialize_concurrency_limit_to_default(name)
