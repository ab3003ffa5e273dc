"""Is the newest month there by its day? Looked at from outside the runs: it also tells when none was started at all.

The checks are steps of no job: a month derived late would show as failed for ever.
"""

import warnings

import dagster as dg

from smi_pipeline.defs.partitions import ZONE
from smi_pipeline.defs.runs import SENSORS
from smi_pipeline.months import CUT_HOUR, FINAL_DAY, PROVISIONAL_DAY
from smi_pipeline.registry.models import PLATFORMS

HOUR = CUT_HOUR + 3
_DEADLINES = {
    PROVISIONAL_DAY + 1: [dg.AssetKey(["raw", platform]) for platform in PLATFORMS],
    FINAL_DAY + 1: [dg.AssetKey(["report", "edition"])],
}


def _checks() -> list[dg.AssetChecksDefinition]:
    with warnings.catch_warnings():
        # What is to supersede it knows assets, not partitions: a month in time would hide one that is late.
        warnings.simplefilter("ignore", dg.SupersessionWarning)
        return [
            check
            for day, keys in _DEADLINES.items()
            for check in dg.build_time_partition_freshness_checks(
                assets=keys,
                deadline_cron=f"0 {HOUR} {day} * *",
                timezone=str(ZONE),
                severity=dg.AssetCheckSeverity.WARN,
            )
        ]


CHECKS = _checks()


@dg.definitions
def freshness() -> dg.Definitions:
    """The checks, and the sensor that runs them after each deadline."""
    sensor = dg.build_sensor_for_freshness_checks(freshness_checks=CHECKS, name="freshness", default_status=SENSORS)
    return dg.Definitions(asset_checks=CHECKS, sensors=[sensor])
