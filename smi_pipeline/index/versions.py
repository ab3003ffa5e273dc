"""Which version of the method a month is computed with, and what makes two versions the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from smi_pipeline.index.method import METHODS, Method, MethodError, load_method, parse_toml
from smi_pipeline.months import Month

MONTHS_FILE: Final = "months.toml"
# What is said about the numbers, not what they are.
_SAID: Final = frozenset({"source", "reason", "unit"})


def _month(value: object) -> object:
    return Month.parse(value) if isinstance(value, str) else value


_MonthKey = Annotated[Month, BeforeValidator(_month)]


class Bound(BaseModel):
    """The months of one version: [since, to], both included; null is open. `overlap` is published in both versions."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    version: str
    since: _MonthKey | None = Field(default=None, alias="from")
    to: _MonthKey | None = None
    overlap: _MonthKey | None = None


class _MonthsFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    bound: tuple[Bound, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _every_month_has_one_version(self) -> Self:
        seen: set[str] = set()
        for one in self.bound:
            if one.version in seen:
                raise ValueError(f"{one.version} is bound twice; a version holds for one unbroken range of months")
            seen.add(one.version)
            if one.since and one.to and one.to < one.since:
                raise ValueError(f"{one.version}: to = {one.to} lies before from = {one.since}")
        if self.bound[0].since is not None:
            raise ValueError(f"{self.bound[0].version} is the first version and holds from the beginning: no `from`")
        if self.bound[-1].to is not None:
            raise ValueError(f"{self.bound[-1].version} is the last version and holds on: no `to`")
        if self.bound[0].overlap is not None:
            raise ValueError(f"{self.bound[0].version}.overlap: there is no version before it")
        for before, after in pairwise(self.bound):
            _follows(before, after)
        return self


def _follows(before: Bound, after: Bound) -> None:
    if after.since is None:
        raise ValueError(f"{after.version} follows {before.version} and needs `from`, its first month")
    if before.since is not None and after.since <= before.since:
        raise ValueError(f"{after.since} is bound to both {before.version} and {after.version}")
    if before.to is not None and before.to != after.since.previous:
        kind = "bound to neither" if before.to < after.since.previous else "bound to both"
        month = before.to.next if before.to < after.since.previous else after.since
        raise ValueError(f"{month} is {kind} {before.version} {'nor' if 'neither' in kind else 'and'} {after.version}")
    if after.overlap is not None and after.overlap not in {after.since, after.since.previous}:
        raise ValueError(
            f"{after.version}.overlap: expected {after.since.previous} or {after.since}, at the border to"
            f" {before.version}; got {after.overlap}"
        )


@dataclass(frozen=True)
class Versions:
    """The versions of all months, in order."""

    bound: tuple[Bound, ...]

    @classmethod
    def always(cls, name: str) -> Self:
        """One method for every month: of another data set, say."""
        return cls((Bound(version=name),))

    @classmethod
    def recorded(cls, names: Mapping[Month, str]) -> Self:
        """The versions that some months had; earlier ones have that of the first, later ones that of the last."""
        bound: list[Bound] = []
        for month in sorted(names):
            if not bound or bound[-1].version != names[month]:
                since = {"from": month} if bound else {}
                bound.append(Bound.model_validate({"version": names[month], **since}))
        return cls(tuple(bound))

    @property
    def names(self) -> list[str]:
        """The names of the versions, the oldest first."""
        return [one.version for one in self.bound]

    def of(self, month: Month) -> str:
        """The name of a month's version."""
        return next(
            one.version for one in reversed(self.bound) if one.since is None or one.since <= month
        )  # the first has no `since`

    def spans(self) -> Iterator[tuple[Bound, Month | None]]:
        """Each version with its last month (null: it holds on)."""
        for one, after in zip(self.bound, (*self.bound[1:], None), strict=True):
            yield one, None if after is None or after.since is None else after.since.previous


def bundled_months() -> Versions:
    """The versions of the project's own months.

    Raises:
        MethodError: the file or a version in it is not usable.
    """
    return parse_months((METHODS / MONTHS_FILE).read_text(encoding="utf-8"))


def parse_months(text: str, *, name: str = MONTHS_FILE, load: Callable[[str], Method] = load_method) -> Versions:
    """The versions of all months, from the text of a months file.

    Args:
        text: TOML.
        name: what to call the file in an error.
        load: a version's method by its name.

    Raises:
        MethodError: a month has no version or two, a version is not known or calls itself otherwise, or two versions
            count differently: a month's metrics are stored once, and the month after is compared with them.
    """
    versions = Versions(parse_toml(_MonthsFile, text, name=name).bound)
    try:
        methods = {version: load(version) for version in versions.names}
    except MethodError as error:
        raise MethodError(f"{name}: {error}") from None
    for version, method in methods.items():
        if method.version != version:
            raise MethodError(f"{name}: {version}: its file calls itself {method.version!r}")
    first = methods[versions.names[0]]
    for version, method in methods.items():
        for key in counted_differently(first, method):
            raise MethodError(
                f"{name}: {version}: {key} differs from {first.version}; it decides what is counted, and metrics that"
                " two versions share are counted once"
            )
    return versions


def counted_differently(one: Method, other: Method) -> list[str]:
    """The parameters two methods differ in that are decided before the metrics."""
    return [key for key in ("zone", "include_reposts", "counting") if _numbers(one)[key] != _numbers(other)[key]]


def digest(method: Method) -> str:
    """SHA-256 of a method's numbers as canonical JSON: what a published version must keep.

    Sources, reasons and units are left out: a better word changes no index.
    """
    text = json.dumps(_numbers(method), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def differences(one: Method, other: Method) -> list[tuple[str, object, object]]:
    """The parameters in which two methods differ: dotted key, its value here and there (null: not there)."""
    here, there = parameters(one), parameters(other)
    keys = [*here, *(key for key in there if key not in here)]
    return [(key, here.get(key), there.get(key)) for key in keys if here.get(key) != there.get(key)]


def parameters(method: Method) -> dict[str, object]:
    """Every number of a method by its dotted key, in the order of the file's tables."""
    return dict(_flat(_numbers(method)))


def _numbers(method: Method) -> dict[str, Any]:
    """Every number of a method. A text of before there was a rule for rates means "all", and is the same method."""
    numbers = {key: _unsaid(value) for key, value in method.model_dump(mode="json").items()}
    if numbers["rates"] == "all":
        del numbers["rates"]
    return numbers


def _unsaid(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _unsaid(inner) for key, inner in value.items() if key not in _SAID}
    return value


def _flat(table: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, object]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{within}{key}.")
        else:
            yield f"{within}{key}", value
