"""What the edition does not know, in sentences: nothing that is missing goes without a word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from smi_pipeline.index.experts import RERATE
from smi_pipeline.months import Month
from smi_pipeline.report.content import Experts, ReportContext
from smi_pipeline.report.formats import Formats, Language
from smi_pipeline.report.rankings import COMPOSITE
from smi_pipeline.report.wording import catalogue


def gap_sentences(context: ReportContext, language: Language) -> list[str]:
    """Platforms not measured or not collected, parts not released, indicators suspended, inputs out of date."""
    text, formats = catalogue(language), Formats(language)

    def platform(code: str) -> str:
        return text(f"platform_{code}")

    said = []
    measured = {section.platform for section in context.sections}
    for code, since in context.method["platforms_from"].items():
        if code not in measured:
            said.append(text("gap_not_yet_measured", platform=platform(code), month=formats.month(Month.parse(since))))
    said += [text("gap_not_collected", platform=platform(s.platform)) for s in context.sections if not s.collected]
    if context.quantitative_only:
        said.append(text("gap_no_experts"))
    again = sum(counted.cities for counted in context.flag_counts if counted.flag == RERATE)
    if context.experts is not None:
        said += expert_sentences(context.experts, context.method["experts"], language, again=again)
    if context.composite.top and not context.composite.compared:
        said.append(text("gap_not_compared"))
    for code in dict.fromkeys(suspension.platform for suspension in context.suspensions):
        indicators = [text(f"indicator_{s.indicator}") for s in context.suspensions if s.platform == code]
        said.append(text("gap_suspended", platform=platform(code), indicators=formats.names(indicators)))
    stale = [platform(weight.platform) for weight in context.weights if "stale" in weight.flags]
    if stale:
        days = formats.count(context.method["platform_weights"]["stale_after"])
        said.append(text("gap_stale", platforms=formats.names(stale), days=days))
    return said


def expert_sentences(experts: Experts, rule: Mapping[str, Any], language: Language, *, again: int = 0) -> list[str]:
    """What stands against releasing the judged part, each with its figures; with what reservation it is released.

    Args:
        experts: the month's round.
        rule: the method's, as it is published.
        language: of the sentences.
        again: how many cities are to be rated again.
    """
    text, formats = catalogue(language), Formats(language)
    figures = {
        "cities": formats.count(experts.cities),
        "enough": formats.count(experts.cities_with_enough),
        "share": formats.percent_reached(experts.cities_with_enough / experts.cities) if experts.cities else "",
        "required_share": formats.whole_percent(rule["release_share"]),
        "raters": formats.count(rule["raters"]),
        "alpha": formats.reached(experts.alpha),
        "required_alpha": formats.plain(rule["alpha_release"]),
        "good_alpha": formats.plain(rule["alpha_good"]),
    }
    said = [text(f"gap_experts_{flag}", **figures) for flag in experts.flags]
    if again:
        sd = formats.plain(rule["rerate_above_sd"])
        said.append(text("gap_experts_rerate", cities=formats.count(again), raters=figures["raters"], sd=sd))
    return said


def flags_by_name(context: ReportContext, language: Language) -> list[tuple[str, str]]:
    """Each flag of the rankings with its cities per index: ("no_account", "Composite 2, Facebook 18")."""
    text, formats = catalogue(language), Formats(language)
    flags: dict[str, list[str]] = {}
    for counted in context.flag_counts:
        where = text("nav_composite") if counted.index_name == COMPOSITE else text(f"platform_{counted.index_name}")
        flags.setdefault(counted.flag, []).append(text("flag_count", where=where, cities=formats.count(counted.cities)))
    return [(flag, text("list_separator").join(places)) for flag, places in flags.items()]
