"""What several commands are given: a month, a lake that is there."""

from __future__ import annotations

import typer

from smi_pipeline.lake.connection import Lake, LakeError
from smi_pipeline.months import Month
from smi_pipeline.settings import settings


def month(text: str) -> Month:
    """A month as it was typed; anything else is wrong usage."""
    try:
        return Month.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def existing_lake() -> Lake:
    """The lake that is set.

    Raises:
        LakeError: there is none; looking makes none.
    """
    now = settings()
    lake = Lake.configured(now)
    if not lake.exists():
        raise LakeError(f"there is no lake in {now.lake}; `make demo` makes one, --lake names another")
    return lake
