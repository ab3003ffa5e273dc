"""Expected failures as Dagster shows them: one clear line, no retry, and for a deferral when to come back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from smi_pipeline.collectors.records import CollectionError, Deferred
from smi_pipeline.index.method import MethodError
from smi_pipeline.index.weights import WeightInputsError
from smi_pipeline.lake.connection import LakeError
from smi_pipeline.registry.load import RegistryError
from smi_pipeline.report.files import EditionError
from smi_pipeline.sql.checks import CheckFailed
from smi_pipeline.sql.yml import ProjectError

EXPECTED = (
    CollectionError,
    LakeError,
    RegistryError,
    MethodError,
    WeightInputsError,
    CheckFailed,
    ProjectError,
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
