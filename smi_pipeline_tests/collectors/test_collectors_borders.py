"""Posts at the borders of months, asked for over a socket: each falls into exactly one month, and into the right one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from collectors import world

from smi_pipeline.lake.connection import Lake
from smi_pipeline.months import Month
from smi_pipeline.registry.models import PLATFORMS
from smi_pipeline.sandbox.process import SandboxProcess, environment
from smi_pipeline.settings import Settings

ZONES = ("Asia/Shanghai", "UTC", "America/Los_Angeles")
MONTHS = ("2025-04", "2025-05", "2025-06")
SECOND = timedelta(seconds=1)


def borders():
    """The last second of a month and the first of the next, at both ends of May in each zone, as UTC."""
    firsts = [datetime(2025, month, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC) for zone in ZONES for month in (5, 6)]
    return sorted({instant for first in firsts for instant in (first - SECOND, first)})


@pytest.fixture(scope="module")
def accounts():
    wanted = world.Wanted()
    return wanted, {platform: wanted.account(platform, 1, borders()) for platform in PLATFORMS}


@pytest.fixture(scope="module")
def sandbox(accounts, tmp_path_factory):
    now = datetime(2025, 7, 5, tzinfo=UTC)
    with SandboxProcess(accounts[0].write(tmp_path_factory.mktemp("borders")), now=now) as process:
        yield process


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_post_at_a_border_falls_into_exactly_one_month(platform, zone, accounts, sandbox, tmp_path, monkeypatch):
    for name, value in environment(sandbox.base_url).items():
        monkeypatch.setenv(name, value)
    lake = Lake.of(tmp_path / "lake")

    for month in MONTHS:
        world.asked(
            lake,
            platform,
            Settings(_env_file=None),
            [accounts[1][platform]],
            month=Month.parse(month),
            zone=ZoneInfo(zone),
        )

    with lake.read() as cursor:
        found = cursor.execute(f"select month, count(*) from raw.{platform}_posts group by month").fetchall()
        [[posts]] = cursor.execute(f"select count(distinct id) from raw.{platform}_posts").fetchall()
    local = [f"{instant.astimezone(ZoneInfo(zone)):%Y-%m}" for instant in borders()]
    assert posts == len(borders()) == 12
    assert {f"{month:%Y-%m}": count for month, count in found} == {month: local.count(month) for month in MONTHS}
