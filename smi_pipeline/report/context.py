"""From the frames of a month to the content of its edition."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from smi_pipeline.registry.load import RegistryError
from smi_pipeline.registry.models import PLATFORMS
from smi_pipeline.report.claims import every
from smi_pipeline.report.content import CitiesChange, Collection, Experts, ReportContext, Sentences
from smi_pipeline.report.editorial import FINDING
from smi_pipeline.report.formats import LANGUAGES, Language
from smi_pipeline.report.gaps import gap_claims
from smi_pipeline.report.inputs import ReportInput
from smi_pipeline.report.platforms import Accounts, account_gaps, section, suspensions
from smi_pipeline.report.profiles import profiles
from smi_pipeline.report.rankings import (
    COMPOSITE,
    city_of,
    composition,
    flag_counts,
    movers,
    ranking,
    table,
    with_every_city,
)
from smi_pipeline.report.revision import revision
from smi_pipeline.report.sentences import sentences, worded
from smi_pipeline.report.weights import weights
from smi_pipeline.report.withheld import withhold
from smi_pipeline.report.year import year


def report(given: ReportInput) -> ReportContext:
    """Everything the edition says, computed and worded. Equal input gives an equal context, whatever the rows' order.

    Raises:
        ValueError: index.platform_weight carries parts that are not JSON.
        RegistryError: editors replaced the finding of a month without ranks.
    """
    cities = tuple(sorted((city_of(row) for row in given.cities.iter_rows(named=True)), key=lambda c: c.city_id))
    known = {row["city_id"]: city_of(row) for row in given.rankings.iter_rows(named=True)}
    known |= {city.city_id: city for city in cities}
    accounts = Accounts(given, known)
    weighed = weights(given.platform_weight, given.method)
    composite = with_every_city(ranking(given.rankings, COMPOSITE), cities)
    collections = _collections(given.collections)
    days = [moment.astimezone(given.zone).date() for c in collections for moment in (c.started_at, c.finished_at)]
    context = ReportContext(
        month=given.month,
        zone=given.zone.key,
        status=given.status,
        synthetic=given.synthetic,
        quantitative_only=given.composite["qualitative"].drop_nulls().is_empty(),
        cities=cities,
        composite=composite,
        quantitative=_by_city(given.composite, "quantitative"),
        qualitative=_by_city(given.composite, "qualitative"),
        intervals=_intervals(given.composite),
        cities_change=_cities_change(given.cities, given.cities_before),
        composition=composition(given.contribution, composite.top, given.method),
        risers=movers(given.movers, "up", known),
        fallers=movers(given.movers, "down", known),
        sections=tuple(
            section(
                platform,
                given,
                accounts=accounts,
                weight=next((weight for weight in weighed if weight.platform == platform), None),
            )
            for platform in given.method.platforms(given.month)
        ),
        weights=weighed,
        account_gaps=account_gaps(given.outcomes, accounts),
        suspensions=suspensions(given.indicator_score),
        flag_counts=flag_counts(given.rankings),
        experts=_experts(given.experts),
        collections=collections,
        counted_from=min(days, default=None),
        counted_to=max(days, default=None),
        year=year(given),
        profiles=profiles(given, cities, accounts),
        method=given.method.model_dump(mode="json"),
        method_before=given.method_before,
        code_version=given.code_version,
        snapshot=given.snapshot,
        rankings=tuple(table(given.rankings).to_dicts()),
        withheld=None,
        editorial=dict(given.editorial),
        claims=(),
        revision=None if given.against is None else revision(given.against, given.rankings),
        sentences={},
    )
    if given.edition is not None and given.edition.ranks == "withheld":
        context = withhold(context, given.edition)
    titles = {"zh": given.title_zh, "en": given.title_en}
    claims = worded(every(context, gaps=gap_claims(context)), context.names)
    return replace(
        context,
        claims=claims,
        sentences={
            language: _edited(context, sentences(claims, language, title=titles[language]), language)
            for language in LANGUAGES
        },
    )


def _edited(context: ReportContext, said: Sentences, language: Language) -> Sentences:
    """The sentences with the editors' finding, if they wrote one; what else they wrote stands beside the sentences."""
    editorial = context.editorial.get(language)
    section = editorial.at(FINDING) if editorial else None
    if section is None:
        return said
    if context.withheld is not None:
        problem = "a month without ranks keeps the sentence that says so; write `# composite +`"
        raise RegistryError([f"{context.month.key}.{language}.md: # {FINDING}: {problem}"])
    return replace(said, finding=section.text)


def _by_city(composite: pl.DataFrame, column: str) -> dict[str, float | None]:
    return dict(composite.select("city_id", column).sort("city_id").iter_rows())


def _intervals(composite: pl.DataFrame) -> dict[str, tuple[float, float] | None]:
    rows = composite.select("city_id", "rank_p05", "rank_p95").sort("city_id").iter_rows()
    return {city: None if low is None or high is None else (low, high) for city, low, high in rows}


def _cities_change(cities: pl.DataFrame, before: pl.DataFrame) -> CitiesChange | None:
    now, earlier = set(cities["city_id"]), set(before["city_id"])
    if not earlier or now == earlier:
        return None
    return CitiesChange(len(earlier), len(now), len(now - earlier), len(earlier - now))


def _experts(frame: pl.DataFrame) -> Experts | None:
    rows = frame.select(list(Experts.__dataclass_fields__)).to_dicts()
    return Experts(**(rows[0] | {"flags": tuple(rows[0]["flags"])})) if rows else None


def _collections(frame: pl.DataFrame) -> tuple[Collection, ...]:
    names = list(Collection.__dataclass_fields__)
    collections = [Collection(**row) for row in frame.select(names).iter_rows(named=True)]
    return tuple(sorted(collections, key=lambda c: (PLATFORMS.index(c.platform), c.collection_id)))
