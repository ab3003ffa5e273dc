"""What people hand in besides the registry: the inputs of the platform weights and the experts' scores."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from smi_pipeline.registry.models import Identifier, Platform, Text


class WeightInput(BaseModel):
    """One published figure behind a platform's weight. It holds from `month` until a later row replaces it."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    month: Annotated[str, StringConstraints(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
    platform: Platform
    factor: Literal["users", "activity", "relevance"]
    value: float = Field(gt=0, allow_inf_nan=False)
    unit: Text
    source: Text
    as_of: date
    retrieved_at: date


class ExpertScore(BaseModel):
    """What one rater gave one city on one criterion, on the scale of the method version (m1: 1 to 10)."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    rater: Text
    city_id: Identifier
    criterion: Text
    score: float = Field(ge=1, le=10, allow_inf_nan=False)
