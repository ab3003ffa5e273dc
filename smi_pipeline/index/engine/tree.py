"""The tree of an index: indicators in groups, groups in groups, one root.

Weights are relative to the siblings: only their proportions count. Where a child is not reported for a unit, its weight
goes to its siblings, level by level, for that unit alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from smi_pipeline.index.engine.aggregation import By, Mean, arithmetic
from smi_pipeline.index.engine.arrays import BoolArray, FloatArray, figures, ratio


class TreeError(ValueError):
    """The rows do not make a tree, or an array does not fit it; names the code."""


@dataclass(frozen=True)
class Node:
    """A row: an indicator, or a group of others.

    Attributes:
        code: its name, unlike any other.
        parent: the group it is in; None for the root.
        weight: relative to its siblings; that of the root means nothing.
        direction: +1, or -1 where less is better; a group counts upwards.
    """

    code: str
    parent: str | None
    weight: float = 1.0
    direction: Literal[-1, 1] = 1


@dataclass(frozen=True)
class Tree:
    """An index of any depth; leaves need not be equally deep.

    Attributes:
        nodes: in the order given, which is that of every array over nodes; leaves are in this order, too.

    Raises:
        TreeError: no rows, a code twice, an unknown parent, no root or two, a cycle, a negative or infinite weight,
            children whose weights add up to 0, or a group that counts downwards.
    """

    nodes: tuple[Node, ...]

    @classmethod
    def of(cls, rows: Iterable[Node | tuple[str, str | None] | tuple[str, str | None, float]]) -> Tree:
        """A tree from nodes or from tuples (code, parent, weight), of which the last may be left out."""
        return cls(tuple(row if isinstance(row, Node) else Node(*row) for row in rows))

    @classmethod
    def flat(cls, weights: Mapping[str, float], *, root: str = "index") -> Tree:
        """A root with leaves and nothing between."""
        return cls((*(Node(code, root, weight) for code, weight in weights.items()), Node(root, None)))

    def __post_init__(self) -> None:
        for check in (self._check_codes, self._check_weights, self._check_shape, self._check_groups):
            check()

    @cached_property
    def codes(self) -> tuple[str, ...]:
        """Of all nodes, in their order."""
        return tuple(node.code for node in self.nodes)

    @cached_property
    def leaves(self) -> tuple[str, ...]:
        """Codes of the nodes without children, in their order: the columns of a leaf table."""
        return tuple(code for code in self.codes if not self._children[code])

    @cached_property
    def root(self) -> str:
        """The code of the node that has no parent."""
        return next(node.code for node in self.nodes if node.parent is None)

    @cached_property
    def directions(self) -> FloatArray:
        """(leaves,): +1 or -1."""
        return np.array([node.direction for node in self.nodes if not self._children[node.code]], dtype=np.float64)

    @cached_property
    def weights(self) -> FloatArray:
        """(nodes,): as given."""
        return np.array([node.weight for node in self.nodes], dtype=np.float64)

    def place(self, code: str) -> int:
        """The position of a node among the nodes.

        Raises:
            TreeError: there is none of that code.
        """
        if code not in self._place:
            raise TreeError(f"{code}: expected a code of the tree, which has {', '.join(self.codes)}")
        return self._place[code]

    def children(self, code: str) -> tuple[str, ...]:
        """The codes right under a node, in their order; none under a leaf."""
        return self._children[self.codes[self.place(code)]]

    def effective_weights(self, weights: ArrayLike | None = None) -> FloatArray:
        """What share of the root each node has where everything is reported: 1 for the root, 1 in all at the leaves.

        The product, from the node up to the root, of each weight over the sum of its siblings' and its own. NaN under a
        group whose children were given no weight.

        Args:
            weights: (..., nodes), in place of the tree's own.

        Returns:
            (..., nodes).

        Source: COINr `get_eff_weights`.
        """
        given = self._weights(weights)
        effective = np.empty(given.shape)
        effective[..., self.place(self.root)] = 1
        for parent in self._downwards:
            kids = self._places(parent)
            among = given[..., kids]
            share = ratio(among, among.sum(axis=-1, keepdims=True))
            effective[..., kids] = effective[..., [self.place(parent)]] * share
        return effective

    def aggregate(
        self,
        values: ArrayLike,
        *,
        weights: ArrayLike | None = None,
        mean: Mean = arithmetic,
        mean_at: Mapping[str, Mean] | None = None,
        threshold: float = 0,
        by: By = "weight",
    ) -> FloatArray:
        """The score of every node, from the leaves upwards.

        Args:
            values: (..., units, leaves), normalised and with direction; NaN = not reported.
            weights: (..., nodes), in place of the tree's own; leading axes are draws.
            mean: how children become their parent.
            mean_at: another mean for the groups named.
            threshold: the share of its children a group must have, see `aggregation`.
            by: likewise.

        Returns:
            (..., units, nodes); a leaf is its own value; NaN where a node has no child reported, or too few.

        Raises:
            TreeError: the values do not have a column a leaf, the weights do not have one a node, or `mean_at` names no
                group.
            ValueError: what the mean refuses.
        """
        x, given = self._table(values), self._weights(weights)
        if unknown := sorted(set(mean_at or {}) - set(self._downwards)):
            raise TreeError(f"{unknown[0]}: expected a group of the tree, which has {', '.join(self._downwards)}")
        scores = {code: x[..., column] for column, code in enumerate(self.leaves)}
        for parent in reversed(self._downwards):
            below = np.stack(np.broadcast_arrays(*(scores[code] for code in self._children[parent])), axis=-1)
            how = (mean_at or {}).get(parent, mean)
            scores[parent] = how(below, given[..., self._places(parent)], threshold=threshold, by=by)
        return np.stack(np.broadcast_arrays(*(scores[code] for code in self.codes)), axis=-1)

    def shares(
        self, values: ArrayLike, node: str | None = None, *, threshold: float = 0, by: By = "weight"
    ) -> FloatArray:
        """The weight each leaf really had in a node's score, unit by unit, after what was not reported was passed over.

        Args:
            values: (units, leaves); NaN = not reported.
            node: the node; None for the root.
            threshold: as in `aggregate`.
            by: likewise.

        Returns:
            (units, leaves). 0 for a leaf outside the node or not reported. A row adds up to 1, and is NaN where the
            node has no score.
        """
        top = self.root if node is None else self.codes[self.place(node)]
        x = self._table(values)
        scores = self.aggregate(np.where(np.isnan(x), np.nan, 0.0), threshold=threshold, by=by)
        part = {code: np.zeros(x.shape[:-1]) for code in self.codes}
        part[top] = np.ones(x.shape[:-1])
        for parent in self._downwards:
            kids = self._places(parent)
            weight = np.where(np.isnan(scores[..., kids]), 0.0, self.weights[kids])
            share = np.nan_to_num(ratio(weight, weight.sum(axis=-1, keepdims=True)))
            for column, kid in enumerate(self._children[parent]):
                if kid != top:
                    part[kid] = part[kid] + part[parent] * share[..., column]
        shares = np.stack([part[code] for code in self.leaves], axis=-1)
        shares[np.isnan(scores[..., self.place(top)])] = np.nan
        return shares

    def contributions(
        self, values: ArrayLike, node: str | None = None, *, threshold: float = 0, by: By = "weight"
    ) -> FloatArray:
        """What each leaf puts into a node's arithmetic score: its share times its value.

        Args:
            values: (units, leaves), normalised; NaN = not reported.
            node: the node; None for the root.
            threshold: as in `aggregate`.
            by: likewise.

        Returns:
            (units, leaves). A row adds up to the node's score in `aggregate`, whatever is missing, and is NaN where it
            has none. A leaf outside the node, or not reported, puts in 0.
        """
        x = self._table(values)
        return self.shares(x, node, threshold=threshold, by=by) * np.where(np.isnan(x), 0.0, x)

    def scores(
        self, values: ArrayLike, weights: ArrayLike, *, mean: Literal["arithmetic", "geometric"] = "arithmetic"
    ) -> FloatArray:
        """The root's score under many weights: what `aggregate` gives for the root, much faster.

        Units with the same leaves reported share their effective weights, and then one matrix product does.

        Args:
            values: (units, leaves), normalised; NaN = not reported.
            weights: (draws, nodes).
            mean: "geometric" is arithmetic in the logarithms, at every level.

        Returns:
            (draws, units).

        Raises:
            TreeError: the values do not have a column a leaf, or the weights do not have one a node.
            ValueError: for a geometric mean, a value of 0 or less.
        """
        if mean == "geometric":
            positive = self._table(values)
            if (positive <= 0).any():
                raise ValueError(f"geometric mean: expected values above 0, got {float(np.nanmin(positive))}")
            logarithmic: FloatArray = np.exp(self.scores(np.log(positive), weights))
            return logarithmic
        x, given = self._table(values), self._weights(weights)
        patterns, which = np.unique(np.isnan(x), axis=0, return_inverse=True)
        result = np.empty((*given.shape[:-1], x.shape[0]))
        for number, missing in enumerate(patterns):
            units = np.flatnonzero(which.ravel() == number)
            left = self._without(given, missing)
            effective = self.effective_weights(left)[..., self._leaf_places]
            effective[np.isnan(effective)] = 0  # under an empty group
            effective[left[..., self.place(self.root)] == 0] = np.nan
            result[..., units] = np.matmul(effective, np.where(missing, 0.0, x[units]).T)
        return result

    def _without(self, weights: FloatArray, missing: BoolArray) -> FloatArray:
        """`weights` with 0 for the leaves that are missing and for the groups that are left empty, maybe the root."""
        left = weights.copy()
        left[..., self.place(self.root)] = 1
        left[..., np.array(self._leaf_places)[missing]] = 0
        for parent in reversed(self._downwards):
            empty = left[..., self._places(parent)].sum(axis=-1) == 0
            left[..., self.place(parent)] = np.where(empty, 0, left[..., self.place(parent)])
        return left

    @cached_property
    def _place(self) -> dict[str, int]:
        return {code: place for place, code in enumerate(self.codes)}

    @cached_property
    def _leaf_places(self) -> list[int]:
        return [self._place[code] for code in self.leaves]

    @cached_property
    def _children(self) -> dict[str, tuple[str, ...]]:
        below: dict[str, list[str]] = {code: [] for code in self.codes}
        for node in self.nodes:
            if node.parent is not None:
                below[node.parent].append(node.code)
        return {code: tuple(kids) for code, kids in below.items()}

    @cached_property
    def _downwards(self) -> tuple[str, ...]:
        """The groups, each after its own parent."""
        order = [self.root]
        for code in order:
            order.extend(self._children[code])
        return tuple(code for code in order if self._children[code])

    def _places(self, parent: str) -> list[int]:
        return [self._place[code] for code in self._children[parent]]

    def _table(self, values: ArrayLike) -> FloatArray:
        x = figures(values, least_axes=2)
        if x.shape[-1] != len(self.leaves):
            raise TreeError(f"{self.root}: expected a column for each of {len(self.leaves)} leaves, got {x.shape[-1]}")
        return x

    def _weights(self, weights: ArrayLike | None) -> FloatArray:
        if weights is None:
            return self.weights
        given = figures(weights, name="weights")
        if given.shape[-1] != len(self.nodes):
            raise TreeError(
                f"{self.root}: expected a weight for each of {len(self.nodes)} nodes, got {given.shape[-1]}"
            )
        if not (given >= 0).all():
            raise TreeError(f"{self.root}: expected weights of 0 or more, got a negative or a missing one")
        return given

    def _check_codes(self) -> None:
        if not self.nodes:
            raise TreeError("a tree: expected at least one row, got none")
        codes = Counter(node.code for node in self.nodes)
        if twice := [code for code, times in codes.items() if times > 1]:
            raise TreeError(f"{twice[0]}: expected a code of its own, got it {codes[twice[0]]} times")
        for node in self.nodes:
            if node.parent is not None and node.parent not in codes:
                raise TreeError(f"{node.code}: expected a parent among the codes, got {node.parent}")

    def _check_weights(self) -> None:
        for node in self.nodes:
            if not (np.isfinite(node.weight) and node.weight >= 0):
                raise TreeError(f"{node.code}: expected a weight of 0 or more, got {node.weight}")
            if node.direction not in {-1, 1}:
                raise TreeError(f"{node.code}: expected direction +1 or -1, got {node.direction}")

    def _check_shape(self) -> None:
        """No root at all is a cycle; so is what cannot be reached from the one there is."""
        roots = [node.code for node in self.nodes if node.parent is None]
        if len(roots) > 1:
            raise TreeError(f"{roots[1]}: expected one root, got {', '.join(roots)}")
        reached = set(roots)
        for _ in self.nodes:
            reached |= {node.code for node in self.nodes if node.parent in reached}
        if lost := [node.code for node in self.nodes if node.code not in reached]:
            raise TreeError(f"{lost[0]}: expected a way up to a root, got a cycle above it")

    def _check_groups(self) -> None:
        direction = {node.code: node.direction for node in self.nodes}
        weight = {node.code: node.weight for node in self.nodes}
        for code in self._downwards:
            if direction[code] == -1:
                raise TreeError(f"{code}: expected a group to count upwards; only a leaf may have direction -1")
            if sum(weight[kid] for kid in self._children[code]) == 0:
                raise TreeError(f"{code}: expected children with some weight, got 0 in all")
