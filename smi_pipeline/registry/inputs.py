"""What people hand in besides the registry: weight inputs, experts' scores, how a month is published."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from smi_pipeline.registry.models import Day, Identifier, Platform, Text

MonthKey = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")]


def _without_underscores(value: object) -> object:
    """Pydantic alone takes 7_5 for 75, which somebody meant for 7.5."""
    if isinstance(value, str) and "_" in value:
        raise ValueError("Input should be a valid number, written without _")
    return value


Number = Annotated[float, BeforeValidator(_without_underscores), Field(allow_inf_nan=False)]


class WeightInput(BaseModel):
    """One published figure behind a platform's weight. It holds from `month` until a later row replaces it."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    month: MonthKey
    platform: Platform
    factor: Literal["users", "activity", "relevance"]
    value: Number = Field(gt=0)
    unit: Text
    source: Text
    as_of: Day
    retrieved_at: Day


class ExpertScore(BaseModel):
    """What one rater gave one city on one criterion.

    The method says the scale and the criteria, the registry the cities: `parse_expert_scores` holds rows to both.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    rater: Text
    city_id: Identifier
    criterion: Text
    score: Number


class EditionRule(BaseModel):
    """Whether one month is published with its ranks. A month without such a row is.

    Withheld ranks need a reason in both languages, which `parse_editions` asks for: the edition prints it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    month: MonthKey
    ranks: Literal["shown", "withheld"]
    reason_zh: Annotated[str, StringConstraints(max_length=200)] = ""
    reason_en: Annotated[str, StringConstraints(max_length=200)] = ""


class Vintage(NamedTuple):
    """Which text of an input file something rests on: the first one ever stored is number 1, the next one 2."""

    number: int
    sha256: str
    loaded_at: datetime
