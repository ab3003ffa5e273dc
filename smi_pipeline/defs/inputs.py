"""The input files of a run: read from their folders, stored in the lake when they changed, used from there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from smi_pipeline.index.method import ExpertRule, Method, method_text, parse_method
from smi_pipeline.index.panel import monitored_cities
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.inputs import (
    InputFile,
    StoredInputs,
    accounts_frame,
    cities_frame,
    experts_frame,
    store_inputs,
    stored_inputs,
    weight_inputs_frame,
)
from smi_pipeline.months import Month
from smi_pipeline.registry.inputs import ExpertScore, Vintage
from smi_pipeline.registry.load import (
    ACCOUNTS,
    CITIES,
    WEIGHT_INPUTS,
    Registry,
    RegistryError,
    parse_expert_scores,
    parse_registry,
    parse_rows,
    parse_weight_inputs,
    read_file,
)
from smi_pipeline.settings import SCENARIO_REGISTRY, Settings


@dataclass(frozen=True)
class Inputs:
    """Registry, method and the other input files as the lake has them now."""

    registry: Registry
    method: Method
    stored: StoredInputs

    @property
    def cities(self) -> pl.DataFrame:
        """The registry's cities, one row each."""
        return cities_frame(self.registry.cities)

    @property
    def accounts(self) -> pl.DataFrame:
        """The registry's accounts, one row each."""
        return accounts_frame(self.registry.accounts)

    @property
    def weight_inputs(self) -> pl.DataFrame:
        """The inputs of the platform weights, one row a figure.

        Raises:
            RegistryError: the registry folder has never had the file.
        """
        file = self.stored.find("platform_inputs")
        if file is None:
            raise RegistryError([f"{WEIGHT_INPUTS}: not found in the registry folder; the platform weights need it"])
        return weight_inputs_frame(parse_weight_inputs(file.text, file.name))

    def experts(self, month: Month) -> pl.DataFrame | None:
        """The expert scores of a month, one row a score, or null when there are none yet."""
        file = self.stored.find("expert_scores", month.first)
        return None if file is None else experts_frame(parse_rows(file.text, file.name, ExpertScore))

    def experts_vintage(self, month: Month) -> Vintage | None:
        """Which of the month's files of expert scores that is, or null when there are none yet."""
        return self.stored.vintage("expert_scores", month.first)


def current_inputs(lake: Lake, settings: Settings) -> Inputs:
    """Store what changed in the registry folder, the method file and the inbox, and give the stored inputs back.

    Raises:
        RegistryError, MethodError: a file is not usable; nothing is stored then.
    """
    scores, files = _inbox(lake), _registry_files(lake, settings)
    method = InputFile("method", settings.method, method_text(settings.method))
    rule = parse_method(method.text, name=method.name).experts
    _check_expert_scores(lake, scores, files, rule)
    stored = store_inputs(lake, [*files, method, *scores], datetime.now(UTC))
    cities, accounts, kept = (stored.need(kind) for kind in ("cities", "accounts", "method"))
    return Inputs(parse_registry(cities.text, accounts.text), parse_method(kept.text, name=kept.name), stored)


def _registry_files(lake: Lake, settings: Settings) -> list[InputFile]:
    """The registry folder's files; none when no folder is named and the lake has its registry already."""
    if settings.registry is None and stored_inputs(lake).find("cities") is not None:
        return []
    folder = settings.registry or SCENARIO_REGISTRY
    cities = InputFile("cities", CITIES, read_file(folder, CITIES))
    accounts = InputFile("accounts", ACCOUNTS, read_file(folder, ACCOUNTS))
    parse_registry(cities.text, accounts.text, str(folder))
    if not (folder / WEIGHT_INPUTS).exists():
        return [cities, accounts]
    weights = InputFile("platform_inputs", WEIGHT_INPUTS, read_file(folder, WEIGHT_INPUTS))
    parse_weight_inputs(weights.text, str(folder / WEIGHT_INPUTS))
    return [cities, accounts, weights]


def _check_expert_scores(lake: Lake, scores: list[InputFile], registry: list[InputFile], rule: ExpertRule) -> None:
    """Hold the files that are new or changed to the method and to the cities of their month.

    Those stored as they are were held to both when they came: a city that left the registry since does not undo them.

    Raises:
        RegistryError: every mistake of all of them.
    """
    stored = stored_inputs(lake)
    changed = stored.changed(scores)
    if not changed:
        return
    given = {file.kind: file.text for file in registry}
    cities, accounts = (given.get(kind) or stored.need(kind).text for kind in ("cities", "accounts"))
    frame, problems = cities_frame(parse_registry(cities, accounts).cities), []
    for file in changed:
        where = str(_inbox_folder(lake) / file.name)
        monitored = set(monitored_cities(frame, Month.parse(file.name.removesuffix(".csv")))["city_id"])
        try:
            parse_expert_scores(file.text, where, cities=monitored, scale=rule.scale, criteria=rule.criteria)
        except RegistryError as error:
            problems += error.problems
    if problems:
        raise RegistryError(problems)


def _inbox_folder(lake: Lake) -> Path:
    return lake.path / "inbox" / "expert_scores"


def _inbox(lake: Lake) -> list[InputFile]:
    found = []
    for path in sorted(_inbox_folder(lake).glob("*.csv")):
        try:
            month = Month.parse(path.stem)
        except ValueError as error:
            raise RegistryError([f"{path}: {error}; expert scores are named by their month"]) from None
        found.append(InputFile("expert_scores", path.name, read_file(path.parent, path.name), month.first))
    return found
