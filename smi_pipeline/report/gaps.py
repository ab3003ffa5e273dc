"""What the edition does not know, as claims: nothing that is missing goes without a word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from smi_pipeline.index.experts import RERATE
from smi_pipeline.months import Month
from smi_pipeline.report.content import Claim, Experts, PlatformSection, ReportContext
from smi_pipeline.report.formats import Formats, Language
from smi_pipeline.report.rankings import COMPOSITE
from smi_pipeline.report.wording import catalogue

PLACE = "gaps"


def gap_claims(context: ReportContext) -> tuple[Claim, ...]:
    """Platforms not measured or not collected, parts not released, indicators suspended, inputs out of date."""
    return tuple(_gaps(context))


def _gaps(context: ReportContext) -> Iterator[Claim]:
    measured = {section.platform for section in context.sections}
    for code, since in context.method["platforms_from"].items():
        if code not in measured:
            begins = {"platform": code, "month": Month.parse(since)}
            yield Claim(PLACE, "gap_not_yet_measured", "the method measures it from a later month on", begins)
    for section in context.sections:
        yield from _of_platform(section, context.method["rates"])
    if context.quantitative_only:
        yield Claim(PLACE, "gap_no_experts", "no city has an expert score", {})
    again = sum(counted.cities for counted in context.flag_counts if counted.flag == RERATE)
    if context.experts is not None:
        yield from expert_claims(context.experts, context.method["experts"], again=again)
    if context.composite.top and not context.composite.compared:
        yield Claim(PLACE, "gap_not_compared", "no city has a comparable rank of the month before", {})
    for code in dict.fromkeys(suspension.platform for suspension in context.suspensions):
        indicators = tuple(s.indicator for s in context.suspensions if s.platform == code)
        condition = "too many of the platform's active accounts could not be observed"
        yield Claim(PLACE, "gap_suspended", condition, {"platform": code, "indicators": indicators})
    stale = tuple(weight.platform for weight in context.weights if "stale" in weight.flags)
    if stale:
        values: dict[str, Any] = {"platforms": stale, "days": context.method["platform_weights"]["stale_after"]}
        yield Claim(PLACE, "gap_stale", "an input of the weight is older than the method allows", values)


def _of_platform(section: PlatformSection, rates: str) -> Iterator[Claim]:
    if not section.collected:
        yield Claim(PLACE, "gap_not_collected", "no collection of the month", {"platform": section.platform})
    if malformed := section.flagged.get("malformed"):
        values = {"platform": section.platform, "cities_counted": malformed}
        yield Claim(PLACE, "gap_malformed", "posts of a city have no id or time that can be read", values)
    if joint := section.flagged.get("joint_post"):
        values = {"platform": section.platform, "cities_counted": joint}
        yield Claim(PLACE, "gap_joint_post", "posts of a city stand under another account as well", values)
    if partial := section.flagged.get("partial_count"):
        values = {"platform": section.platform, "cities_counted": partial}
        yield Claim(PLACE, f"gap_partial_count_{rates}", "posts of a city lack a count reported of others", values)


def expert_claims(experts: Experts, rule: Mapping[str, Any], *, again: int = 0) -> Iterator[Claim]:
    """What stands against releasing the judged part, each with its figures; with what reservation it is released.

    Args:
        experts: the month's round.
        rule: the method's, as it is published.
        again: how many cities are to be rated again.
    """
    needed = {
        "cities": experts.cities,
        "enough": experts.cities_with_enough,
        "share": experts.cities_with_enough / experts.cities if experts.cities else 0.0,
        "required_share": rule["release_share"],
        "raters": rule["raters"],
    }
    agreement = {"alpha": experts.alpha, "required_alpha": rule["alpha_release"], "good_alpha": rule["alpha_good"]}
    stated = {
        "few_rated": needed,
        "low_alpha": {name: agreement[name] for name in ("alpha", "required_alpha")},
        "moderate_alpha": agreement,
    }
    for flag in experts.flags:
        yield Claim(PLACE, f"gap_experts_{flag}", f"the round of expert scores is flagged {flag}", stated.get(flag, {}))
    if again:
        values = {"cities": again, "raters": rule["raters"], "sd": rule["rerate_above_sd"]}
        yield Claim(PLACE, "gap_experts_rerate", f"cities are flagged {RERATE}", values)


def flags_by_name(context: ReportContext, language: Language) -> list[tuple[str, str]]:
    """Each flag of the rankings with its cities per index: ("no_account", "Composite 2, Facebook 18")."""
    text, formats = catalogue(language), Formats(language)
    flags: dict[str, list[str]] = {}
    for counted in context.flag_counts:
        where = text("nav_composite") if counted.index_name == COMPOSITE else text(f"platform_{counted.index_name}")
        flags.setdefault(counted.flag, []).append(text("flag_count", where=where, cities=formats.count(counted.cities)))
    return [(flag, text("list_separator").join(places)) for flag, places in flags.items()]
