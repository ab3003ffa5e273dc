"""Whether the judged part is published: enough cities with enough raters, who agree, over counts of the final cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import polars as pl

from smi_pipeline.index.agreement import complete_block, icc_agreement
from smi_pipeline.index.experts import alpha, is_agreed, rater_scores, rating_matrix
from smi_pipeline.index.indicators import SLACK
from smi_pipeline.index.method import ExpertRule
from smi_pipeline.metrics.columns import FLAGS, INSTANT, Schema
from smi_pipeline.registry.inputs import Vintage

Cut = Literal["provisional", "final"]
EXPERT_AGREEMENT: Final[Schema] = {
    "month": pl.Date,
    "vintage": pl.Int64,
    "file_sha256": pl.String,
    "loaded_at": INSTANT,
    "raters": pl.Int64,
    "cities": pl.Int64,
    "rated_cities": pl.Int64,
    "cities_with_enough": pl.Int64,
    "share_with_enough": pl.Float64,
    "alpha": pl.Float64,
    "icc_single": pl.Float64,
    "icc_average": pl.Float64,
    "icc_raters": pl.Int64,
    "icc_cities": pl.Int64,
    "released": pl.Boolean,
    "reason": pl.String,
    "flags": FLAGS,
}
SHOWN_SHA256: Final = 12
"""Characters of a checksum that are shown: enough to tell two files of a month apart."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """How well a month's monitored cities were rated, and what stands against publishing it.

    Attributes:
        raters: how many gave any score to a monitored city.
        cities: how many are monitored.
        rated_cities: how many of them have any score.
        cities_with_enough: how many have the raters the method asks for.
        alpha: Krippendorff's alpha over raters and cities; null where it is not defined.
        icc_single: of the largest panel (see `complete_block`), with icc_average; null without one.
        icc_raters: the panel's raters; icc_cities: its cities.
        failed: the conditions that do not hold, by flag, each as a sentence with its figures. None: released.
        noted: released, with an agreement below the method's good one.
    """

    raters: int
    cities: int
    rated_cities: int
    cities_with_enough: int
    alpha: float | None
    icc_single: float | None
    icc_average: float | None
    icc_raters: int
    icc_cities: int
    failed: dict[str, str]
    noted: bool

    @property
    def released(self) -> bool:
        """Whether the judged part is in the edition, which is final then."""
        return not self.failed

    def row(self, vintage: Vintage | None) -> pl.DataFrame:
        """The one row of index.expert_agreement, but for its month."""
        number, sha256, loaded_at = vintage or (None, None, None)
        values = {
            **{name: getattr(self, name) for name in EXPERT_AGREEMENT if hasattr(self, name)},
            "vintage": number,
            "file_sha256": sha256 and sha256[:SHOWN_SHA256],
            "loaded_at": loaded_at,
            "share_with_enough": self.cities_with_enough / self.cities if self.cities else None,
            "reason": "; ".join(self.failed.values()) or None,
            "flags": sorted([*self.failed, *(["moderate_alpha"] if self.noted else [])]),
        }
        schema = {name: kind for name, kind in EXPERT_AGREEMENT.items() if name != "month"}
        return pl.DataFrame([values], schema=schema)


def release(ratings: pl.DataFrame | None, cities: pl.DataFrame, rule: ExpertRule, *, cut: Cut = "final") -> Release:
    """Hold a month's ratings to the conditions of their release.

    Args:
        ratings: the month's own (rater, city_id, criterion, score); scores carried from earlier months do not count.
        cities: city_id: the monitored cities, each once. Ratings of others are not looked at.
        rule: the least number of raters, the share of cities that must have it, and the agreement asked for.
        cut: of the month's collections; over counts that are provisional nothing final is published.

    Raises:
        ValueError: a score outside the scale, or a rater who scored a criterion of a city twice.
    """
    scores = rater_scores(ratings, rule).join(cities.select("city_id"), on="city_id", how="semi", maintain_order="left")
    by_city = scores.group_by("city_id").len()
    enough = by_city.filter(pl.col("len") >= rule.raters).height
    agreement = alpha(scores)
    block = complete_block(rating_matrix(scores))
    single, average = icc_agreement(block)
    failed: dict[str, str] = {}
    if cut != "final":
        failed["provisional_cut"] = "the counts are of a provisional cut"
    if scores.is_empty():
        failed["no_ratings"] = "no monitored city has expert scores"
    else:
        if enough < rule.release_share * cities.height - SLACK:
            failed["few_rated"] = (
                f"{enough} of {cities.height} cities ({enough / cities.height:.1%}) have {rule.raters} raters or more,"
                f" expected {100 * rule.release_share:g}%"
            )
        if agreement is None:
            failed["alpha_undefined"] = "no agreement can be reckoned: no city has two raters, or all scores are equal"
        elif not is_agreed(agreement, rule):
            failed["low_alpha"] = f"Krippendorff's alpha is {agreement:.4f}, expected {rule.alpha_release:g} or more"
    return Release(
        raters=scores["rater"].n_unique(),
        cities=cities.height,
        rated_cities=by_city.height,
        cities_with_enough=enough,
        alpha=agreement,
        icc_single=single,
        icc_average=average,
        icc_raters=block.shape[0],
        icc_cities=block.shape[1],
        failed=failed,
        noted=not failed and agreement is not None and agreement < rule.alpha_good - SLACK,
    )
