"""COINr's own answers, from the raw inputs to the ranks."""

from __future__ import annotations

import numpy as np
import pytest

from smi_pipeline.index.engine.aggregation import arithmetic
from smi_pipeline.index.engine.normalisation import min_max
from smi_pipeline.index.engine.ranking import ranks
from smi_pipeline.index.engine.treatment import kurtosis, log_ct, passes, skewness, treat, winsorise


@pytest.fixture(scope="module")
def asem(reference):
    """Everything computed once, each step from the one before: nothing is read but the inputs."""
    tree = reference.tree
    raw = reference.table("input_raw", tree.leaves)
    treated = treat(raw)
    normalised = min_max(treated.values, direction=tree.directions)
    aggregated = tree.aggregate(normalised)
    return tree, treated, normalised, aggregated


def test_the_input_is_what_the_reference_says_it_is(reference):
    tree = reference.tree
    raw = reference.table("input_raw", tree.leaves)
    assert raw.shape == (51, 49)
    assert np.isnan(raw).sum() == 63
    assert len(tree.codes) == 49 + 8 + 2 + 1


def test_treated_values(asem, reference, close):
    tree, treated, *_ = asem
    close(treated.values, reference.table("expected_treated", tree.leaves))


def test_treatment_details(asem, reference, close):
    tree, treated, *_ = asem
    rows = {row["iCode"]: row for row in reference.rows("expected_treat_details")}
    rows = [rows[code] for code in tree.leaves]
    details = treated.details
    assert details.passed.tolist() == [row["check_SkewKurt0.Pass"] == "true" for row in rows]
    close(details.skew, [float(row["check_SkewKurt0.Skew"]) for row in rows])
    close(details.kurt, [float(row["check_SkewKurt0.Kurt"]) for row in rows])
    failed = np.flatnonzero(~details.passed)
    rows = [rows[place] for place in failed]
    assert len(rows) > 0
    assert details.winsorised[failed].tolist() == [int(row["winsorise.nwin"]) for row in rows]
    assert details.passed_winsorised[failed].tolist() == [row["check_SkewKurt1.Pass"] == "true" for row in rows]
    close(details.skew_winsorised[failed], [float(row["check_SkewKurt1.Skew"]) for row in rows])
    close(details.kurt_winsorised[failed], [float(row["check_SkewKurt1.Kurt"]) for row in rows])
    assert details.winsorised[details.passed].sum() == 0
    assert set(details.branch) == {"none", "winsorised"}


def test_normalised_values(asem, reference, close):
    tree, _, normalised, _ = asem
    close(normalised, reference.table("expected_normalised", tree.leaves))


def aggregates(tree):
    return [code for code in tree.codes if tree.children(code)]


def test_aggregated_scores(asem, reference, close):
    tree, *_, aggregated = asem
    close(
        aggregated[:, [tree.place(code) for code in aggregates(tree)]],
        reference.table("expected_aggregated", aggregates(tree)),
    )


def test_ranks_exactly(asem, reference):
    tree, *_, aggregated = asem
    got = ranks(aggregated[:, [tree.place(code) for code in aggregates(tree)]], axis=0)
    assert np.array_equal(got, reference.table("expected_ranks", aggregates(tree)), equal_nan=True)


def test_effective_weights(reference, close):
    tree = reference.tree
    expected = {row["iCode"]: float(row["EffWeight"]) for row in reference.rows("expected_effective_weights")}
    assert set(expected) == set(tree.codes)
    close(tree.effective_weights(), [expected[code] for code in tree.codes])


def test_contributions_add_up_to_every_aggregate_with_missing_cells(asem):
    tree, _, normalised, aggregated = asem
    assert np.isnan(normalised).any()
    for code in aggregates(tree):
        parts = tree.contributions(normalised, code)
        assert np.abs(parts.sum(axis=1) - aggregated[:, tree.place(code)]).max() <= 1e-9


def floats(values):
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def test_vectors(reference, close):
    vectors = reference.vectors("vectors")
    assert len(vectors) == 5
    for case in vectors.values():
        x = floats(case["x"])
        close(skewness(x), case["skew"])
        close(kurtosis(x), case["kurt"])
        assert bool(passes(x)) is case["check_SkewKurt_pass"]
        pulled = winsorise(x)
        close(pulled.values, floats(case["winsorise_default"]))
        assert pulled.count == case["winsorise_n"]
        marks = np.where(pulled.low, "winlo", np.where(pulled.high, "winhi", "")).tolist()
        assert marks == case["winsorise_treated"]
        close(treat(x).values, floats(case["treat_default_x"]))
        close(min_max(x), floats(case["n_minmax_0_100"]))
        assert np.array_equal(ranks(x), floats(case["rank_desc_min"]), equal_nan=True)


def test_weighted_means(reference, close):
    for case in reference.vectors("a_amean"):
        expected = np.nan if case["a_amean"] is None else case["a_amean"]
        close(arithmetic(floats(case["x"])[np.newaxis], case["w"]), [expected])


def test_the_logarithm_of_a_vector_that_winsorising_does_not_help(reference, close):
    case = reference.vectors("log_branch")
    x = floats(case["x"])
    close(skewness(x), case["skew"])
    close(kurtosis(x), case["kurt"])
    close(winsorise(x).values, case["winsorise_default"])
    got = treat(x)
    assert got.details.winsorised == case["winsorise_n"]
    assert got.details.branch == "transformed"
    close(got.values, case["treat_default_x"])
    close(log_ct(x), case["log_CT"])
