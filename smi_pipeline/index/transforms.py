"""From a raw value to points: a transform, then fixed goalposts."""

from __future__ import annotations

import polars as pl


def ln1p(value: pl.Expr) -> pl.Expr:
    """ln(1 + x) of a count or rate >= 0: each doubling of a large x adds the same amount; null stays null."""
    return value.log1p()


def asinh100(value: pl.Expr) -> pl.Expr:
    """asinh(x / 100): nearly linear within +-100, logarithmic beyond, odd, so that losses count like gains."""
    return (value / 100).arcsinh()


def transformed(value: pl.Expr, transform: pl.Expr) -> pl.Expr:
    """`value` under the transform named in the column `transform` (ln1p or asinh100); null for any other name."""
    return pl.when(transform == "ln1p").then(ln1p(value)).when(transform == "asinh100").then(asinh100(value))


def goalposts(value: pl.Expr, lo: pl.Expr, hi: pl.Expr) -> pl.Expr:
    """100 * (x - lo) / (hi - lo), cut to 0..100; all three already transformed, lo < hi; null stays null.

    Nothing of the month enters: a value gives the same points whatever the other cities did.
    """
    return (100 * (value - lo) / (hi - lo)).clip(0, 100)


def points(value: pl.Expr, transform: pl.Expr, lo: pl.Expr, hi: pl.Expr) -> pl.Expr:
    """0..100 for a raw value between raw goalposts: 0 at lo and below, 100 at hi and above; null stays null."""
    return goalposts(transformed(value, transform), transformed(lo, transform), transformed(hi, transform))
