"""One month scored on every platform, from the inputs that all months share."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import polars as pl

from smi_pipeline.index.indicators import PlatformScores, platform_scores
from smi_pipeline.index.method import Method
from smi_pipeline.index.panel import monitored_cities, platform_panel
from smi_pipeline.index.weights import platform_weights
from smi_pipeline.months import Month


@dataclass(frozen=True)
class Inputs:
    """What every month is computed from; the frames are those of `edition`."""

    method: Method
    cities: pl.DataFrame
    accounts: pl.DataFrame
    metrics: pl.DataFrame
    weight_inputs: pl.DataFrame

    def weights(self, month: Month) -> pl.DataFrame:
        """The platform weights of a month (see `platform_weights`)."""
        return platform_weights(
            month=month,
            method=self.method,
            cities=self.cities,
            accounts=self.accounts,
            weight_inputs=self.weight_inputs,
        )

    def has_weights(self, month: Month) -> bool:
        """Whether the inputs file reaches back to a month."""
        return bool((self.weight_inputs["month"] <= month.key).any())

    def earlier(self, month: Month) -> pl.DataFrame:
        """The metrics of the months before one."""
        return self.metrics.filter(pl.col("month") < month.first)

    def has_metrics(self, month: Month) -> bool:
        """Whether any platform of a month has metrics."""
        return not self.metrics.filter(pl.col("month") == month.first).is_empty()


@dataclass(frozen=True)
class Scored:
    """A month's panel and its platform scores.

    Attributes:
        cities: city_id of every monitored city.
        panel: platform, city_id of every city with an account there.
    """

    month: Month
    cities: pl.DataFrame
    panel: pl.DataFrame
    scores: PlatformScores

    @property
    def platforms(self) -> frozenset[str]:
        """The platforms on which any city has an account."""
        return frozenset(self.panel["platform"])


def score(inputs: Inputs, month: Month, *, also_suspended: AbstractSet[tuple[str, str]] = frozenset()) -> Scored:
    """Score a month, without `also_suspended` (platform, indicator) besides what its own data suspends."""
    panel = platform_panel(inputs.cities, inputs.accounts, month=month, method=inputs.method)
    return Scored(
        month,
        monitored_cities(inputs.cities, month),
        panel,
        platform_scores(panel, inputs.metrics, month=month, method=inputs.method, also_suspended=also_suspended),
    )
