"""The input files of a run: read from their folders, stored in the lake when they changed, used from there."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import polars as pl

from smi_pipeline.file_names import entries, folded, not_read
from smi_pipeline.index.method import ExpertRule, Method, method_text, parse_method
from smi_pipeline.index.panel import monitored_cities
from smi_pipeline.index.reach import Files, seen_by
from smi_pipeline.index.versions import Versions, bundled_months
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.inputs import (
    InputFile,
    Kind,
    StoredInputs,
    accounts_frame,
    cities_frame,
    experts_frame,
    store_inputs,
    stored_inputs,
    weight_inputs_frame,
)
from smi_pipeline.months import Month
from smi_pipeline.registry.inputs import EditionRule, ExpertScore, Vintage
from smi_pipeline.registry.load import (
    ACCOUNTS,
    CITIES,
    EDITIONS,
    WEIGHT_INPUTS,
    Registry,
    RegistryError,
    parse_expert_scores,
    parse_registry,
    parse_rows,
    parse_weight_inputs,
    read_file,
    read_folder,
)
from smi_pipeline.report.editorial import Editorial, parse_editorial
from smi_pipeline.report.formats import LANGUAGES, Language
from smi_pipeline.settings import SCENARIO_REGISTRY, Settings

_KINDS: Final[Mapping[str, Kind]] = {
    CITIES: "cities",
    ACCOUNTS: "accounts",
    WEIGHT_INPUTS: "platform_inputs",
    EDITIONS: "editions",
}
_EDITORIAL_NAME: Final = re.compile(r"(?P<month>[0-9]{4}-(0[1-9]|1[0-2]))\.(?P<language>\w+)\.md")
_SCORES_NAME: Final = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])\.csv")
# What somebody meant who named an entry otherwise: a month in any way of writing it, or the kind of file.
_MEANT_MONTH: Final = re.compile(r"(?<![0-9])[0-9]{4}[^0-9a-z]{0,2}[0-9]{1,2}(?![0-9])")
_FOLDERS: Final = ("expert_scores", "editorial", "vendor")  # of the inbox


@dataclass(frozen=True)
class Inputs:
    """Registry, methods and the other input files as the lake has them now."""

    registry: Registry
    versions: Versions
    stored: StoredInputs

    def method_of(self, month: Month) -> Method:
        """The method a month is computed with, from the text the lake has of it."""
        kept = self.stored.need("method", name=self.versions.of(month))
        return parse_method(kept.text, name=kept.name)

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

    def edition(self, month: Month) -> EditionRule | None:
        """How the month is published, or null where no rule was ever given: then with its ranks."""
        return edition_rule(self.stored, month)

    def editorial(self, month: Month) -> dict[Language, Editorial]:
        """What editors wrote for the month, by language; nothing where they wrote nothing."""
        written = {}
        for language in LANGUAGES:
            file = self.stored.find("editorial", month.first, name=_editorial_name(month, language))
            if file is not None and (parsed := parse_editorial(file.text, file.name, language)):
                written[language] = parsed
        return written

    def visible(self, month: Month) -> Mapping[str, str]:
        """Digests of what the month sees of each kind of file but the expert scores."""
        rule = self.edition(month)
        files = Files(
            cities=self.cities,
            accounts=self.accounts,
            weight_inputs=self.weight_inputs if self.stored.find("platform_inputs") else None,
            method=self.method_of(month),
            rule=None if rule is None else rule.model_dump_json(),
        )
        return seen_by(month, files)

    def experts(self, month: Month) -> pl.DataFrame | None:
        """The expert scores of a month, one row a score, or null when there are none yet."""
        file = self.stored.find("expert_scores", month.first)
        return None if file is None else _experts(file.text, file.name)

    def experts_vintage(self, month: Month) -> Vintage | None:
        """Which of the month's files of expert scores that is, or null when there are none yet."""
        return self.stored.vintage("expert_scores", month.first)


@functools.lru_cache(maxsize=32)  # of a run's months, each looks at the three before it
def _experts(text: str, name: str) -> pl.DataFrame:
    return experts_frame(parse_rows(text, name, ExpertScore))


def edition_rule(stored: StoredInputs, month: Month) -> EditionRule | None:
    """How a month is published by the inputs a lake has, or null where none of them names it."""
    file = stored.find("editions")
    rules = [] if file is None else parse_rows(file.text, file.name, EditionRule)
    return next((rule for rule in rules if rule.month == month.key), None)


def current_inputs(lake: Lake, settings: Settings) -> Inputs:
    """Store what changed in the registry folder, the methods and the inbox, and give the stored inputs back.

    Raises:
        RegistryError, MethodError: a file is not usable; nothing is stored then.
    """
    _refuse_misplaced(lake)
    scores, files, versions = _inbox(lake), _registry_files(lake, settings), method_versions(settings)
    texts = _editorials(lake)
    methods = [InputFile("method", name, method_text(name)) for name in versions.names]
    rules = {method.name: parse_method(method.text, name=method.name).experts for method in methods}
    _check_expert_scores(lake, scores, files, lambda month: rules[versions.of(month)])
    stored = store_inputs(lake, [*files, *methods, *scores, *texts], datetime.now(UTC))
    return _inputs(stored, versions)


def kept_inputs(lake: Lake, settings: Settings) -> Inputs:
    """The inputs the lake has, for whoever only looks: nothing is read elsewhere, nothing stored.

    Raises:
        LakeError: the lake has none yet.
    """
    return _inputs(stored_inputs(lake), method_versions(settings))


def inputs_under(lake: Lake, methods: Mapping[Month, str]) -> Inputs:
    """The inputs the lake has, with the methods that months had in an edition, whatever they are bound to now.

    Raises:
        LakeError: the lake has none yet.
    """
    return _inputs(stored_inputs(lake), Versions.recorded(methods))


def offered_inputs(lake: Lake, settings: Settings) -> Inputs:
    """The inputs as their folders have them now, expert scores as the lake has them; stores nothing.

    Raises:
        RegistryError, MethodError: a file is not usable.
    """
    versions, stored = method_versions(settings), stored_inputs(lake)
    methods = [InputFile("method", name, method_text(name)) for name in versions.names]
    offered = {file.key: file for file in [*_registry_files(lake, settings), *methods]}
    return _inputs(replace(stored, files=stored.files | offered), versions)


def method_versions(settings: Settings) -> Versions:
    """The versions of all months: the project's own, or the one method that is set for all of them.

    Raises:
        MethodError: the months file or a version in it is not usable.
    """
    return bundled_months() if settings.method is None else Versions.always(settings.method)


def _inputs(stored: StoredInputs, versions: Versions) -> Inputs:
    cities, accounts = stored.need("cities"), stored.need("accounts")
    return Inputs(parse_registry(cities.text, accounts.text), versions, stored)


def _registry_files(lake: Lake, settings: Settings) -> list[InputFile]:
    """The registry folder's files; none when no folder is named and the lake has its registry already."""
    if settings.registry is None and stored_inputs(lake).find("cities") is not None:
        return []
    folder = settings.registry or SCENARIO_REGISTRY
    return [InputFile(_KINDS[name], name, text) for name, text in read_folder(folder).items()]


def _check_expert_scores(
    lake: Lake, scores: list[InputFile], registry: list[InputFile], rule_of: Callable[[Month], ExpertRule]
) -> None:
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
        where = str(expert_scores_folder(lake) / file.name)
        month = Month.parse(file.name.removesuffix(".csv"))
        monitored, rule = set(monitored_cities(frame, month)["city_id"]), rule_of(month)
        try:
            parse_expert_scores(file.text, where, cities=monitored, scale=rule.scale, criteria=rule.criteria)
        except RegistryError as error:
            problems += error.problems
    if problems:
        raise RegistryError(problems)


def expert_scores_folder(lake: Lake) -> Path:
    """Where expert scores are dropped, one CSV file a month."""
    return lake.path / "inbox" / "expert_scores"


def _editorial_name(month: Month, language: Language) -> str:
    return f"{month.key}.{language}.md"


def _editorials(lake: Lake) -> list[InputFile]:
    """The editors' files of the inbox, each read once to the end so that none is stored that cannot be printed.

    Raises:
        RegistryError: every mistake of all of them.
    """
    found, problems = [], []
    for path in _meant(lake.path / "inbox" / "editorial", ".md"):
        named = _EDITORIAL_NAME.fullmatch(path.name)
        language = next((language for language in LANGUAGES if named and named["language"] == language), None)
        if named is None or language is None:
            wanted = " or ".join(f"2025-05.{code}.md" for code in LANGUAGES)
            problems.append(not_read(path, f"a name like {wanted}"))
            continue
        try:
            text = read_file(path.parent, path.name)
            parse_editorial(text, str(path), language)
        except RegistryError as error:
            problems += error.problems
        else:
            found.append(InputFile("editorial", path.name, text, Month.parse(named["month"]).first))
    if problems:
        raise RegistryError(problems)
    return found


def dropped_expert_scores(lake: Lake, settings: Settings, path: Path) -> InputFile:
    """The expert scores of one dropped file, held to the method and the cities of their month; stores nothing.

    Raises:
        RegistryError: every mistake in it.
    """
    file, versions = _expert_scores(path), method_versions(settings)

    def rule_of(month: Month) -> ExpertRule:
        name = versions.of(month)
        return parse_method(method_text(name), name=name).experts

    _check_expert_scores(lake, [file], _registry_files(lake, settings), rule_of)
    return file


def _meant(folder: Path, suffix: str) -> list[Path]:
    """The entries of a folder with a month in their names, or with the suffix, in any spelling, right or wrong."""
    return [
        path for path in entries(folder) if folded(path.name).endswith(suffix) or _MEANT_MONTH.search(folded(path.name))
    ]


def dropped_scores(lake: Lake) -> list[Path]:
    """What was dropped as expert scores, under whatever name; not what was put aside."""
    return _meant(expert_scores_folder(lake), ".csv")


def _refuse_misplaced(lake: Lake) -> None:
    """Name what lies beside the folders of the inbox, or in a folder that is called nearly like one of them.

    Raises:
        RegistryError: all of it.
    """
    inbox, wanted = lake.path / "inbox", " or ".join(_FOLDERS)
    near = {re.sub(r"[^a-z]", "", name).rstrip("s"): name for name in _FOLDERS}
    problems = [not_read(path, f"a month's file in {wanted}") for path in _meant(inbox, ".md") if path.is_file()]
    for path in entries(inbox):
        meant = near.get(re.sub(r"[^a-z]", "", folded(path.name)).rstrip("s"))
        if meant is not None and (path.name != meant or not path.is_dir()):
            problems.append(not_read(path, f"a folder called {meant}"))
    if problems:
        raise RegistryError(problems)


def _inbox(lake: Lake) -> list[InputFile]:
    return [_expert_scores(path) for path in dropped_scores(lake)]


def _expert_scores(path: Path) -> InputFile:
    if not _SCORES_NAME.fullmatch(path.name) or path.is_dir():
        raise RegistryError([not_read(path, "a file called by its month, like 2025-05.csv")])
    month = Month.parse(path.stem)
    return InputFile("expert_scores", path.name, read_file(path.parent, path.name), month.first)
