"""Where a lake's reports are: a month's newest edition, every edition for good, and the draft of a published month."""

from __future__ import annotations

from pathlib import Path

from smi_pipeline.months import Month


def current(lake: Path, month: Month) -> Path:
    """The month's newest edition, or its draft while nothing is published."""
    return lake / "reports" / month.key


def kept(lake: Path, month: Month, number: int) -> Path:
    """An edition, under an address that stays."""
    return lake / "reports" / "editions" / month.key / str(number)


def drafts(lake: Path, month: Month) -> Path:
    """The draft of a month that is published."""
    return lake / "drafts" / month.key
