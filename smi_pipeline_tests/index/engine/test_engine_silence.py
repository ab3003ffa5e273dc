"""Figures of any magnitude the engine promises, gaps included, never make it warn: a warning is an error in this suite."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from smi_pipeline.index.engine import (
    aggregation,
    normalisation,
    outranking,
    ranking,
    reliability,
    treatment,
    uncertainty,
)

magnitude = st.floats(1e-100, 1e100)
edges = st.sampled_from([0.0, -0.0, 0.1, 1.0, 1e-100, 1e100, np.nan])
tables = arrays(
    np.float64,
    st.tuples(st.integers(0, 8), st.integers(1, 3)),
    elements=edges | magnitude | magnitude.map(lambda x: -x),
)
positive = arrays(np.float64, st.tuples(st.integers(0, 8), st.just(3)), elements=magnitude | st.just(np.nan))


@given(tables)
def test_treatment_and_normalisation(table):
    for made in (
        treatment.treat(table).values,
        treatment.log_ct_plus(table),
        treatment.log_ct_orig(table),
        normalisation.min_max(table),
        normalisation.z_score(table),
        normalisation.percentile_rank(table),
        normalisation.distance_to_max(table),
        normalisation.goalposts(table, -1, 2),
        ranking.ranks(table, axis=0),
    ):
        assert made.shape == table.shape
        assert not np.isinf(made).any()


@given(tables)
def test_reliability_and_uncertainty(table):
    for metric in ("interval", "ordinal", "nominal"):
        assert not np.isinf(reliability.krippendorff_alpha(table, metric=metric))
    assert not np.isinf(reliability.krippendorff_alpha(np.abs(table), metric="ratio"))
    for made in (reliability.icc(table), reliability.cronbach_alpha(table), reliability.correlation(table)):
        assert not np.isinf(made).any()
    if len(table):
        assert uncertainty.tiers(uncertainty.rank_spread(table)).shape == table.shape[1:]
    assert outranking.copeland(table, np.ones(table.shape[1])).shape == table.shape[:1]


@given(positive, st.floats(-5, 5))
def test_means(table, power):
    weights = [1.0, 2, 3]
    for made in (
        aggregation.arithmetic(table, weights),
        aggregation.geometric(table, weights),
        aggregation.harmonic(table, weights),
        aggregation.generalised(table, weights, power=power),
    ):
        assert np.array_equal(np.isnan(made), np.isnan(table).all(axis=1))
