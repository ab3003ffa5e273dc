"""What the project's runs carry as tags, and what they tell about themselves; whether schedules and sensors are on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import dagster as dg

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
