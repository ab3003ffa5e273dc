"""Reading the registry's CSV files: every mistake is named with its file, line and column, all of them at once.

Works on text as well as on files, because derivation reads the registry the lake has stored, not the folder.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from smi_pipeline.file_names import entries, folded, not_read
from smi_pipeline.registry.inputs import EditionRule, ExpertScore, WeightInput
from smi_pipeline.registry.models import Account, City, Platform, handle_key

Row = TypeVar("Row", bound=BaseModel)
Look = Callable[[int, Mapping[str, str]], Iterable[tuple[str, str]]]
"""Looks at a line's cells as they are written, wrong ones too; gives (column, what is wrong) of each mistake."""
CITIES, ACCOUNTS, WEIGHT_INPUTS, EDITIONS = "cities.csv", "accounts.csv", "platform_inputs.csv", "editions.csv"


class RegistryError(Exception):
    """The registry cannot be used. One problem a line, each with file, line and column."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True)
class Registry:
    """Cities and accounts that fit together."""

    cities: list[City]
    accounts: list[Account]


def read_file(folder: Path, name: str) -> str:
    """The text of one registry file.

    Raises:
        RegistryError: it is not there, or not UTF-8.
    """
    path = folder / name
    if path.exists() and not path.is_file():  # reading a pipe would never end
        raise RegistryError([not_read(path, "a file")])
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise RegistryError(
            [f"{path}: not found; a registry folder has {CITIES} and {ACCOUNTS} (--registry)"]
        ) from None
    except UnicodeDecodeError as error:
        raise RegistryError([f"{path}: not UTF-8 (byte {error.start}); save it as CSV UTF-8"]) from None


def read_folder(folder: Path) -> dict[str, str]:
    """The text of each file of a registry folder, by its name; of the optional ones those that are there.

    Raises:
        RegistryError: every mistake of all of them.
    """
    known = (CITIES, ACCOUNTS, WEIGHT_INPUTS, EDITIONS)
    if misspelt := [
        not_read(path, f"a file called {name}")
        for path in entries(folder)
        for name in known
        if path.name != name and folded(path.name).removesuffix(".txt") == name
    ]:
        raise RegistryError(misspelt)
    texts = {name: read_file(folder, name) for name in (CITIES, ACCOUNTS)}
    checks: list[Callable[[], object]] = [partial(parse_registry, texts[CITIES], texts[ACCOUNTS], str(folder))]
    for name, parse in ((WEIGHT_INPUTS, parse_weight_inputs), (EDITIONS, parse_editions)):
        if (folder / name).exists():
            texts[name] = read_file(folder, name)
            checks.append(partial(parse, texts[name], str(folder / name)))
    problems: list[str] = []
    for check in checks:
        try:
            check()
        except RegistryError as error:
            problems += error.problems
    if problems:
        raise RegistryError(problems)
    return texts


def read_registry(folder: Path) -> Registry:
    """The registry in a folder; its other files are checked along with it."""
    texts = read_folder(folder)
    return parse_registry(texts[CITIES], texts[ACCOUNTS], str(folder))


def parse_registry(cities_text: str, accounts_text: str, where: str = "registry") -> Registry:
    """The registry in two CSV texts.

    Raises:
        RegistryError: naming every bad cell, unknown or missing column, doubled key and account without its city.
    """
    problems: list[str] = []
    cities = list(_rows(cities_text, f"{where}/{CITIES}", City, problems))
    accounts = list(_rows(accounts_text, f"{where}/{ACCOUNTS}", Account, problems))
    problems += _doubled_cities(cities, where)
    problems += _misfits(accounts, {city.city_id for _, city in cities}, where)
    if problems:
        raise RegistryError(problems)
    return Registry([city for _, city in cities], [account for _, account in accounts])


def parse_weight_inputs(text: str, where: str = WEIGHT_INPUTS) -> list[WeightInput]:
    """The inputs of the platform weights, in the file's order.

    Raises:
        RegistryError: naming every bad cell.
    """
    problems: list[str] = []
    rows = list(_rows(text, where, WeightInput, problems))
    seen: dict[tuple[object, ...], int] = {}
    for line, row in rows:
        key = (row.month, row.platform, row.factor)
        if key in seen:
            problems.append(
                f"{where} line {line}: {row.platform} {row.factor} of {row.month} stands on line {seen[key]} already"
            )
        seen[key] = line
    if problems:
        raise RegistryError(problems)
    return [row for _, row in rows]


def parse_editions(text: str, where: str = EDITIONS) -> list[EditionRule]:
    """How months are published, in the file's order.

    Raises:
        RegistryError: naming every bad cell: a month that stands there twice, ranks withheld without a reason.
    """
    seen: dict[str, int] = {}

    def look(line: int, cells: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        month = cells.get("month", "")
        first = seen.setdefault(month, line)
        if first != line and month:
            yield "month", f"{month} stands on line {first} already"
        if cells.get("ranks") == "withheld":
            for column in ("reason_zh", "reason_en"):
                if not cells.get(column):
                    yield column, "expected why the ranks are withheld, the edition prints it; got nothing"

    problems: list[str] = []
    rows = [row for _, row in _rows(text, where, EditionRule, problems, look)]
    if problems:
        raise RegistryError(problems)
    return rows


def parse_expert_scores(
    text: str, where: str, *, cities: Collection[str], scale: tuple[float, float], criteria: Collection[str]
) -> list[ExpertScore]:
    """One month's expert scores, in the file's order.

    Args:
        text: the CSV file.
        where: what to call it in an error.
        cities: the cities that are monitored in the month.
        scale: the ends of the method's scale.
        criteria: those the method names; where it names none, raters choose their own.

    Raises:
        RegistryError: naming every bad cell: a city that is not monitored, a score off the scale, a criterion that the
            method does not know, a rater who scores one criterion of a city twice.
    """
    low, high = scale
    seen: dict[tuple[str, str, str], int] = {}

    def look(line: int, cells: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        rater, city, criterion, score = (cells.get(name, "") for name in ("rater", "city_id", "criterion", "score"))
        if city and city not in cities:
            yield "city_id", f"no city {city!r} is monitored in this month"
        if criterion and criteria and criterion not in criteria:
            yield "criterion", f"expected one of {', '.join(criteria)}; got {criterion!r}"
        with suppress(ValueError):  # no number: told as such already
            number = float(score)
            if number < low or number > high:
                yield "score", f"expected {low:g} to {high:g}; got {score!r}"
        first = seen.setdefault((rater, city, criterion), line)
        if first != line and rater and city and criterion:
            yield "rater", f"{rater!r} scores {criterion} of {city} on line {first} already"

    problems: list[str] = []
    rows = [row for _, row in _rows(text, where, ExpertScore, problems, look)]
    if problems:
        raise RegistryError(problems)
    return rows


def parse_rows(text: str, where: str, model: type[Row]) -> list[Row]:
    """Every row of a CSV text as `model`.

    Raises:
        RegistryError: naming every bad cell.
    """
    problems: list[str] = []
    rows = [row for _, row in _rows(text, where, model, problems)]
    if problems:
        raise RegistryError(problems)
    return rows


def _rows(
    text: str, where: str, model: type[Row], problems: list[str], look: Look | None = None
) -> Iterator[tuple[int, Row]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    required = [name for name, field in model.model_fields.items() if field.is_required() and name != "account_id"]
    found = [(name or "").strip() for name in reader.fieldnames or []]
    if missing := [name for name in required if name not in found]:
        problems.append(
            f"{where} line 1: column {', '.join(missing)} is missing; found {', '.join(found) or 'nothing'}"
        )
        return
    if twice := [name for position, name in enumerate(found) if name in found[:position]]:
        problems.append(f"{where} line 1: column {', '.join(twice)} stands there twice")
        return
    if unknown := [name for name in found if name not in model.model_fields]:
        expected = ", ".join(model.model_fields)
        problems.append(f"{where} line 1: unknown column {', '.join(unknown)}; expected {expected}")
        return
    reader.fieldnames = found
    try:
        for cells in reader:
            if not any(cells.values()):
                continue
            if None in cells:
                problems.append(f"{where} line {reader.line_num}: more cells than the {len(found)} columns of line 1")
                continue
            given = {name: cell for name, cell in cells.items() if cell not in (None, "")}
            place = f"{where} line {reader.line_num}"
            try:
                yield reader.line_num, model.model_validate(given)
            except ValidationError as error:
                problems += _explained(error, place)
            if look is not None:
                stripped = {name: cell.strip() for name, cell in given.items()}
                problems += (f"{place}, column {column}: {said}" for column, said in look(reader.line_num, stripped))
    except csv.Error as error:
        problems.append(f"{where} line {reader.line_num}: not readable as CSV ({error})")


def _explained(error: ValidationError, place: str) -> Iterator[str]:
    for problem in error.errors():
        column = f", column {problem['loc'][0]}" if problem["loc"] else ""
        came = "nothing" if problem["type"] == "missing" else repr(problem["input"])
        said = problem["msg"].removeprefix("Value error, ")
        yield f"{place}{column}: {said}" + (f"; got {came}" if problem["loc"] else "")


def _doubled_cities(cities: list[tuple[int, City]], where: str) -> Iterator[str]:
    """Rows of one city whose days overlap, and keys that only capitals tell apart: both would be one file."""
    seen: dict[str, list[tuple[int, City]]] = defaultdict(list)
    for line, city in cities:
        rows = seen[city.city_id.casefold()]
        first = next((n for n, row in rows if row.overlaps(city) or row.city_id != city.city_id), None)
        if first is not None:
            place = f"{where}/{CITIES} line {line}, column city_id"
            yield f"{place}: {city.city_id!r} stands on line {first} already"
        rows.append((line, city))


def _misfits(accounts: list[tuple[int, Account]], cities: set[str], where: str) -> Iterator[str]:
    """Accounts of no city, and rows that lead to one account on the same days: by its id or by its handle."""
    seen: dict[tuple[str, Platform, str], list[tuple[int, Account]]] = defaultdict(list)
    for line, account in accounts:
        place = f"{where}/{ACCOUNTS} line {line}"
        if account.city_id not in cities:
            yield f"{place}, column city_id: no city {account.city_id!r} in {CITIES}"
        own_id = account.platform_account_id or account.account_id.casefold()
        keys = {"handle": handle_key(account.platform, account.handle), "account_id": own_id}
        told: set[int] = set()
        for column, key in keys.items():
            rows = seen[column, account.platform, key]
            first = next((n for n, row in rows if row.overlaps(account) and n not in told), None)
            if first is not None:
                told.add(first)
                yield (
                    f"{place}, column {column}: {getattr(account, column)!r} of {account.platform} stands on line"
                    f" {first} already"
                )
            rows.append((line, account))
