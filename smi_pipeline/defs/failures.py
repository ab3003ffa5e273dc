"""Expected failures as Dagster shows them: one clear line, no retry, and for a deferral when to come back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg

from smi_pipeline.collectors.records import CollectionError, Deferred
from smi_pipeline.index.method import MethodError
from smi_pipeline.index.weights import WeightInputsError
from smi_pipeline.lake.connection import LakeError
from smi_pipeline.registry.load import RegistryError
from smi_pipeline.report.files import EditionError
from smi_pipeline.sql.checks import CheckFailed
from smi_pipeline.sql.yml import ProjectError
from smi_pipeline.sums import SumTooGreat

EXPECTED = (
    CollectionError,
    LakeError,
    RegistryError,
    MethodError,
    WeightInputsError,
    CheckFailed,
    ProjectError,
    SumTooGreat,
    EditionError,
)
RESUME_AT = "smi/resume_at"


@contextmanager
def told_clearly() -> Iterator[None]:
    """Turn the errors this project raises on purpose into a Failure with their own words."""
    try:
        yield
    except Deferred as error:
        raise dg.Failure(str(error), metadata={RESUME_AT: error.resume_at.isoformat()}, allow_retries=False) from error
    except EXPECTED as error:
        raise dg.Failure(str(error), allow_retries=False) from error


@dataclass(frozen=True)
class StepFailure:
    """Why a step failed, in its own words. `resume_at`: an ISO instant, where a platform put us off.

    `error`: the name of the innermost exception, null where the failure was one of those raised on purpose.
    """

    step: str
    text: str
    resume_at: str | None = None
    error: str | None = None


def step_failures(events: Iterable[dg.DagsterEvent]) -> list[StepFailure]:
    """The failures among a run's events, in their order."""
    return [_step_failure(event) for event in events if event.is_step_failure]


def _step_failure(event: dg.DagsterEvent) -> StepFailure:
    step, data = event.step_key or "", event.step_failure_data
    told = data.user_failure_data
    if told is not None and told.description:
        resume = told.metadata.get(RESUME_AT)
        return StepFailure(step, told.description, None if resume is None else str(resume.value))
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    text = error.message.strip() if error else "failed"
    return StepFailure(step, f"{step}: {text}", error=error.cls_name if error else None)
