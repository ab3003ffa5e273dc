"""The tree: what it accepts, what each leaf weighs, what each leaf puts in."""

from __future__ import annotations

import dataclasses
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smi_pipeline.index.engine.aggregation import arithmetic, generalised, geometric
from smi_pipeline.index.engine.tree import Node, Tree, TreeError

nan = np.nan
# index: a (3) and g (1); g: b (1) and h (1); h: c (1), d (4)
SMALL = Tree.of(
    [
        ("a", "index", 3.0),
        ("b", "g"),
        ("c", "h", 1.0),
        ("d", "h", 4.0),
        ("g", "index", 1.0),
        ("h", "g", 1.0),
        ("index", None),
    ]
)
EFFECTIVE = {"a": 0.75, "b": 0.125, "c": 0.025, "d": 0.1, "g": 0.25, "h": 0.125, "index": 1}


@st.composite
def trees(draw):
    """Up to five groups, each under an earlier one, and leaves anywhere; every group has at least one child."""
    groups = draw(st.integers(1, 5))
    rows = [Node("g0", None)]
    rows += [Node(f"g{n}", f"g{draw(st.integers(0, n - 1))}", draw(st.integers(1, 9))) for n in range(1, groups)]
    parents = list(range(groups)) + draw(st.lists(st.integers(0, groups - 1), max_size=6))
    rows += [Node(f"i{n}", f"g{parent}", draw(st.integers(1, 9))) for n, parent in enumerate(parents)]
    return Tree(tuple(draw(st.permutations(rows))))


@st.composite
def filled(draw, *, missing=True):
    """A tree and a table of its leaves."""
    tree = draw(trees())
    cell = st.integers(0, 100).map(float) | (st.just(nan) if missing else st.nothing())
    units = draw(st.integers(0, 5))
    table = [[draw(cell) for _ in tree.leaves] for _ in range(units)]
    return tree, np.array(table, dtype=float).reshape(units, len(tree.leaves))


def test_leaves_and_nodes_keep_their_order_and_know_their_place():
    assert SMALL.leaves == ("a", "b", "c", "d")
    assert SMALL.codes == ("a", "b", "c", "d", "g", "h", "index")
    assert SMALL.root == "index"
    assert SMALL.children("g") == ("b", "h")
    assert SMALL.children("a") == ()
    assert SMALL.place("h") == 5
    tree = Tree.of([Node("x", "r", direction=-1), Node("y", "r"), Node("r", None)])
    assert tree.directions.tolist() == [-1, 1]


def test_a_tree_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        SMALL.nodes = ()


def test_effective_weights_by_hand():
    got = dict(zip(SMALL.codes, SMALL.effective_weights(), strict=True))
    assert got == pytest.approx(EFFECTIVE)


def test_scores_by_hand():
    """h = (10 + 4 * 20) / 5 = 18, g = (50 + 18) / 2 = 34, index = (3 * 80 + 34) / 4 = 68.5."""
    assert SMALL.aggregate([[80.0, 50, 10, 20]])[0].tolist() == pytest.approx([80, 50, 10, 20, 34, 18, 68.5])


def test_missing_children_leave_their_weight_to_their_siblings_level_by_level():
    """Without d, h is c; without c and d, g is b; without a, the index is g."""
    got = SMALL.aggregate([[80.0, 50, 10, nan], [80, 50, nan, nan], [nan, 50, nan, 20], [nan] * 4])
    expected = [[30, 10, 67.5], [50, nan, 72.5], [35, 20, 35], [nan] * 3]
    assert got[:, 4:] == pytest.approx(np.array(expected), nan_ok=True)


def test_too_little_data_is_no_score_at_its_level_only():
    """c alone is 0.2 of h: h is dropped, and g is b alone, half of it."""
    row = [[80.0, 50, 10, nan]]
    assert SMALL.aggregate(row, threshold=0.5)[0, 4:] == pytest.approx([50, nan, 72.5], nan_ok=True)
    assert SMALL.aggregate(row, threshold=0.6)[0, 4:] == pytest.approx([nan, nan, 80], nan_ok=True)
    assert SMALL.aggregate(row, threshold=0.5, by="number")[0, 4:] == pytest.approx([30, 10, 67.5])
    assert SMALL.contributions(row, threshold=0.5)[0] == pytest.approx([60, 12.5, 0, 0])


def test_other_means_everywhere_or_at_a_level():
    row = np.array([[80.0, 50, 10, 20]])
    whole = SMALL.aggregate(row, mean=geometric)[0, 4:]
    h = 10**0.2 * 20**0.8
    g = (50 * h) ** 0.5
    assert whole == pytest.approx([g, h, 80**0.75 * g**0.25])
    top = SMALL.aggregate(row, mean_at={"index": geometric})[0, 4:]
    assert top == pytest.approx([34, 18, 80**0.75 * 34**0.25])
    assert SMALL.aggregate(row, mean=partial(generalised, power=1))[0] == pytest.approx(SMALL.aggregate(row)[0])
    with pytest.raises(TreeError, match="a: expected a group"):
        SMALL.aggregate(row, mean_at={"a": arithmetic})


def test_contributions_by_hand():
    rows = [[80.0, 50, 10, 20], [80, 50, 10, nan], [nan] * 4]
    assert SMALL.contributions(rows) == pytest.approx(
        np.array([[60, 6.25, 0.25, 2], [60, 6.25, 1.25, 0], [nan] * 4]), nan_ok=True
    )
    assert SMALL.contributions(rows, "h")[:2] == pytest.approx(np.array([[0, 0, 2, 16], [0, 0, 10, 0]]))
    assert SMALL.contributions(rows, "a") == pytest.approx(
        np.array([[80, 0, 0, 0], [80, 0, 0, 0], [nan] * 4]), nan_ok=True
    )


def test_draws_of_weights_by_hand():
    drawn = np.array([SMALL.weights, [1, 1, 0, 1, 1, 1, 0]])
    got = SMALL.aggregate([[80.0, 50, 10, 20], [80, nan, 10, nan]], weights=drawn)
    assert got.shape == (2, 2, 7)
    assert got[0, 0, -1] == pytest.approx(68.5)
    assert got[1, 0, 4:] == pytest.approx([35, 20, 57.5])
    assert got[1, 1, 4:] == pytest.approx([nan, nan, 80], nan_ok=True)  # c weighs nothing in this draw
    assert SMALL.scores([[80.0, 50, 10, 20], [80, nan, 10, nan]], drawn) == pytest.approx(got[..., -1])


def test_a_single_node_is_its_own_index():
    tree = Tree.of([("only", None)])
    table = np.array([[3.0], [nan]])
    assert tree.aggregate(table) == pytest.approx(table, nan_ok=True)
    assert tree.contributions(table)[0].tolist() == [3]
    assert tree.scores(table, np.ones((2, 1)))[:, 0].tolist() == [3, 3]
    assert tree.effective_weights().tolist() == [1]


def test_a_flat_tree():
    tree = Tree.flat({"x": 1, "y": 3})
    assert tree.aggregate([[4.0, 8]])[0].tolist() == [4, 8, 7]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "at least one row"),
        ([("r", None), ("a", "r"), ("a", "r")], "a: expected a code of its own, got it 2 times"),
        ([("r", None), ("a", "s")], "a: expected a parent among the codes, got s"),
        ([("r", None), ("s", None), ("a", "r")], "s: expected one root, got r, s"),
        ([("a", "b"), ("b", "a")], "a: expected a way up to a root, got a cycle"),
        ([("r", None), ("a", "r"), ("x", "y"), ("y", "x")], "x: expected a way up to a root, got a cycle"),
        ([("r", "r")], "r: expected a way up to a root"),
        ([("r", None), ("a", "r", -1.0)], "a: expected a weight of 0 or more, got -1"),
        ([("r", None), ("a", "r", nan)], "a: expected a weight of 0 or more, got nan"),
        ([("r", None), ("a", "r", np.inf)], "a: expected a weight of 0 or more, got inf"),
        ([("r", None), ("a", "r", 0.0), ("b", "r", 0.0)], "r: expected children with some weight"),
        ([Node("r", None), Node("a", "r", direction=2)], r"a: expected direction \+1 or -1, got 2"),
        ([Node("r", None, direction=-1), Node("a", "r")], "r: expected a group to count upwards"),
    ],
)
def test_rows_that_make_no_tree_are_refused_by_name(rows, message):
    with pytest.raises(TreeError, match=message):
        Tree.of(rows)


def test_arrays_that_do_not_fit_the_tree_are_refused():
    with pytest.raises(TreeError, match="a column for each of 4 leaves, got 3"):
        SMALL.aggregate(np.zeros((2, 3)))
    with pytest.raises(TreeError, match="a weight for each of 7 nodes, got 4"):
        SMALL.aggregate(np.zeros((2, 4)), weights=np.ones(4))
    with pytest.raises(TreeError, match="weights of 0 or more"):
        SMALL.effective_weights([1.0, 1, 1, 1, 1, 1, -1])
    with pytest.raises(TreeError, match="nobody: expected a code of the tree"):
        SMALL.contributions(np.zeros((2, 4)), "nobody")
    with pytest.raises(ValueError, match="at least 2 axes"):
        SMALL.aggregate(np.zeros(4))


@given(trees())
def test_the_effective_weights_of_the_leaves_add_up_to_one(tree):
    effective = dict(zip(tree.codes, tree.effective_weights(), strict=True))
    assert sum(effective[code] for code in tree.leaves) == pytest.approx(1, abs=1e-9)
    for code in tree.codes:
        if tree.children(code):
            assert sum(effective[kid] for kid in tree.children(code)) == pytest.approx(effective[code], abs=1e-9)


@given(filled())
def test_contributions_add_up_to_every_node_whatever_is_missing(made):
    tree, table = made
    scores = tree.aggregate(table)
    for code in tree.codes:
        node = scores[:, tree.place(code)]
        parts, shares = tree.contributions(table, code), tree.shares(table, code)
        assert np.array_equal(np.isnan(parts).all(axis=1), np.isnan(node))
        seen = ~np.isnan(node)
        assert np.abs(parts[seen].sum(axis=1) - node[seen]).max(initial=0) <= 1e-9
        assert np.abs(shares[seen].sum(axis=1) - 1).max(initial=0) <= 1e-9
        assert (shares[seen][np.isnan(table[seen])] == 0).all()


@given(filled(), st.sampled_from([0.3, 0.5, 0.8]), st.sampled_from(["weight", "number"]))
def test_contributions_add_up_under_a_threshold_too(made, threshold, by):
    tree, table = made
    node = tree.aggregate(table, threshold=threshold, by=by)[:, tree.place(tree.root)]
    parts = tree.contributions(table, threshold=threshold, by=by)
    assert np.allclose(parts.sum(axis=1), node, rtol=0, atol=1e-9, equal_nan=True)


@given(filled(), st.integers(0, 2**32 - 1))
def test_many_draws_at_once_are_what_one_at_a_time_gives(made, seed):
    tree, table = made
    drawn = np.random.default_rng(seed).integers(0, 3, size=(4, len(tree.codes))).astype(float)
    got = tree.scores(table, drawn)
    for draw, weights in enumerate(drawn):
        alone = tree.aggregate(table, weights=weights)[:, tree.place(tree.root)]
        assert np.allclose(got[draw], alone, rtol=0, atol=1e-9, equal_nan=True)
    together = tree.aggregate(table, weights=drawn)[..., tree.place(tree.root)]
    assert np.allclose(got, together, rtol=0, atol=1e-9, equal_nan=True)


@given(filled(), st.integers(0, 2**32 - 1))
def test_many_draws_of_a_geometric_index_too(made, seed):
    tree, table = made
    drawn = np.random.default_rng(seed).integers(0, 3, size=(3, len(tree.codes))).astype(float)
    got = tree.scores(table + 1, drawn, mean="geometric")
    one_by_one = tree.aggregate(table + 1, weights=drawn, mean=geometric)[..., tree.place(tree.root)]
    assert np.allclose(got, one_by_one, rtol=1e-9, equal_nan=True)


def test_a_geometric_index_of_nothing_is_refused():
    with pytest.raises(ValueError, match="above 0, got 0"):
        SMALL.scores([[80.0, 50, 0, nan]], np.ones((1, 7)), mean="geometric")


@given(filled(missing=False), st.data())
def test_more_of_a_leaf_is_never_less_of_any_node(made, data):
    tree, table = made
    raised = table.copy()
    raised[:, data.draw(st.integers(0, len(tree.leaves) - 1))] += 1
    assert (tree.aggregate(raised) >= tree.aggregate(table) - 1e-9).all()


@given(filled(), st.randoms(use_true_random=False))
def test_neither_the_order_of_the_rows_nor_of_the_units_matters(made, shuffler):
    tree, table = made
    nodes, units = list(tree.nodes), list(range(len(table)))
    shuffler.shuffle(nodes)
    shuffler.shuffle(units)
    other = Tree(tuple(nodes))
    columns = [tree.leaves.index(code) for code in other.leaves]
    got = other.aggregate(table[units][:, columns])[:, [other.place(code) for code in tree.codes]]
    assert np.allclose(got, tree.aggregate(table)[units], rtol=0, atol=1e-9, equal_nan=True)
