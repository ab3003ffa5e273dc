"""What an edition claims: each claim made only after its condition was tested on the values it states.

A claim is in no language: `sentences.py` words it. Where no condition holds there is no claim: a neutral one takes its
place, or none at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isclose
from typing import Any, Final

from smi_pipeline.report.content import (
    TOP,
    City,
    Claim,
    Coverage,
    Entry,
    Figures,
    Place,
    PlatformSection,
    Ranking,
    ReportContext,
    Weight,
)
from smi_pipeline.report.rankings import COMPOSITE, climb, highlighted

SURGE: Final = 10  # places: from here on a climb into the top ten is called a marked one
PODIUM: Final = 3
NAMED: Final = 5  # cities a sentence names before it only counts them

_MEASURED: Final = {
    "interactions": "its interactions and engagement rate are reported",
    "views": "its views and view rate are reported, by which the platform is rated",
    "score": "no such figures of it are reported",
}
_MOVED: Final = {
    "surged": f"in the top ten now and beyond it the month before, by {SURGE} places or more",
    "entered": "in the top ten now, and the month before without a rank or beyond it",
    "rose": "in the top ten in both months, with a better rank now",
    "kept": "alone in first place, in both months",
    "first": "alone in first place; nobody else moved up",
}


def finding(context: ReportContext) -> Claim:
    """The edition in one sentence: who leads, and who came into the top ten; or whom it lists, and why so."""
    withheld = context.withheld
    if withheld is not None and withheld.leading[COMPOSITE]:
        listed = withheld.leading[COMPOSITE]
        values = {"index": _index(context), "number": len(listed), "cities": listed, "reason": withheld.reason}
        return Claim("finding", "finding_withheld", "the registry's rule of the month withholds ranks", values)
    ranking = context.composite
    leaders = [entry for entry in ranking.entries if entry.rank == 1]
    if not leaders:
        return Claim("finding", "finding_none", "no city has a composite rank", {})
    entered = tuple(entry.city for entry in ranking.top if entry.change.entered and entry.rank != 1)
    first = leaders[0]
    if len(leaders) > 1:
        kind, condition = "tied", "several cities have rank 1"
    elif first.change.kind == "same" and first.previous_rank == 1:
        kind, condition = "kept", "one city has rank 1 and had it the month before"
    elif first.change.kind == "up":
        kind, condition = "rose", "one city has rank 1 and had a lower place the month before"
    else:
        kind, condition = "leads", "one city has rank 1"
    values = {"index": _index(context), "cities": tuple(entry.city for entry in leaders), "score": first.score}
    if kind == "rose":
        values["places"] = climb(first)
    if entered:
        kind, condition = f"{kind}_entered", f"{condition}; others entered the top ten"
        values["entered"] = entered
    return Claim("finding", f"finding_{kind}", condition, values)


def composed(context: ReportContext) -> Iterator[Claim]:
    """What the composite is made of this month, by the platforms within it and their weights."""
    weights = tuple((weight.platform, weight.weight) for weight in context.weights if weight.eligible)
    if not weights:
        return
    rule = context.method["composite"]
    if context.quantitative_only:
        yield Claim("composed", "composed_only", "no city has an expert score", {"weights": weights})
        return
    values = {"weights": weights, "quantitative": rule["quantitative"], "qualitative": rule["qualitative"]}
    yield Claim("composed", "composed", "at least one city has an expert score", values)


def narrative(context: ReportContext) -> Iterator[Claim]:
    """How many are ranked, and the composite top ten against the month before as far as that was computed."""
    ranking = context.composite
    place = "narrative"
    ranked = sum(entry.rank is not None for entry in ranking.entries)
    if ranked:
        values: dict[str, Any] = {"ranked": ranked, "listed": len(ranking.entries)}
        yield Claim(place, "narrative_ranked", "at least one city has a composite rank", values)
        if context.status == "provisional":
            yield Claim(place, "narrative_provisional", "the edition's status is provisional", {})
    yield from order(place, ranking, _index(context))
    risers = [entry for entry in ranking.top if entry.change.kind == "up"]
    if risers:
        best = max(risers, key=climb)
        values = {"city": best.city, "place": _place(best), "places": climb(best)}
        yield Claim(place, "narrative_rose", "the farthest up within the top ten", values)
    unchanged = _cities(entry for entry in ranking.top if entry.change.kind == "same")
    if unchanged:
        yield Claim(place, "narrative_unchanged", "in the top ten, change of rank 0", {"cities": unchanged})
    entered = _cities(entry for entry in ranking.top if entry.change.entered)
    if entered:
        yield Claim(place, "narrative_entered", _MOVED["entered"], {"cities": entered})
    left = _cities(entry for entry in ranking.entries if _left(entry))
    if left:
        yield Claim(place, "narrative_left", "in the top ten the month before, beyond it now", {"cities": left})


def certainty(context: ReportContext) -> Iterator[Claim]:
    """How firm the first place and the top ten are: which intervals of ranks meet, and which reach beyond ten."""
    spans = {city: span for city, span in context.intervals.items() if span is not None}
    leaders = [entry for entry in context.composite.entries if entry.rank == 1]
    by_id = {entry.city.city_id: entry for entry in context.composite.entries if entry.rank is not None}
    if len(leaders) == 1 and (own := spans.get(leaders[0].city.city_id)):
        others = tuple(
            entry.city
            for city, entry in by_id.items()
            if city != leaders[0].city.city_id and city in spans and _meet(own, spans[city])
        )
        values = {"city": leaders[0].city, "interval": own}
        if not others:
            yield Claim("certainty", "certainty_first_alone", "no other city's interval meets the leader's", values)
        elif len(others) <= NAMED:
            values["cities"] = others
            yield Claim("certainty", "certainty_first_shared", "other cities' intervals meet the leader's", values)
        else:
            values["others"] = len(others)
            yield Claim("certainty", "certainty_first_many", "many cities' intervals meet the leader's", values)
    top = context.composite.top
    if len(top) < PODIUM or any(entry.city.city_id not in spans for entry in top):
        return
    beyond = _cities(entry for entry in top if spans[entry.city.city_id][1] > TOP)
    if beyond:
        values = {"within": len(top) - len(beyond), "number": len(top), "cities": beyond}
        yield Claim("certainty", "certainty_top_some", "some intervals of the top ten end beyond ten", values)
    else:
        yield Claim(
            "certainty", "certainty_top_all", "no interval of the top ten ends beyond ten", {"number": len(top)}
        )


def holes(context: ReportContext) -> Iterator[Claim]:
    """Where the data have holes, in short: the section on gaps has each of them."""
    place = "holes"
    missed = tuple(section.platform for section in context.sections if not section.collected)
    if missed:
        yield Claim(place, "holes_platforms", "platforms of the month without a collection", {"platforms": missed})
    asked = sum(section.coverage.accounts_asked or 0 for section in context.sections)
    if context.account_gaps:
        values = {"accounts": len(context.account_gaps), "asked": asked}
        yield Claim(place, "holes_accounts", "accounts asked that did not answer in full", values)
    unranked = sum(entry.rank is None for entry in context.composite.entries)
    if context.composite.top and unranked:
        values = {"cities_counted": unranked}
        yield Claim(place, "holes_unranked", "monitored cities without a composite rank", values)
    if context.suspensions:
        values = {"indicators_counted": len(context.suspensions)}
        yield Claim(place, "holes_suspended", "indicators suspended on a platform", values)
    if asked and not (missed or context.account_gaps or context.suspensions):
        yield Claim(place, "holes_none", "every platform collected, every account answered", {"asked": asked})


def platform(context: ReportContext, section: PlatformSection) -> Iterator[Claim]:
    """A platform's top ten in order, its highlighted city, and what else stands out among the ten."""
    code = section.platform
    yield from order(f"leaders.{code}", section.ranking, code)
    chosen = highlighted(section.ranking)
    if chosen is not None:
        yield highlight(section, chosen)
    yield from _remarks(section, chosen)
    weight = next((weight for weight in context.weights if weight.platform == code), None)
    if weight is not None:
        yield from absence(context, weight, place=f"absences.{code}")


def order(place: str, ranking: Ranking, index: str) -> Iterator[Claim]:
    """The cities of a top ten, said to be in order only where no place is shared."""
    top = ranking.top
    if len(top) < PODIUM:
        return
    values = {"index": index, "number": len(top), "cities": _cities(top)}
    if any(entry.tied for entry in top):
        yield Claim(place, "leaders_tied", "a place of the top ten is shared", values)
    else:
        yield Claim(place, "leaders", "no place of the top ten is shared", values)


def highlight(section: PlatformSection, entry: Entry) -> Claim:
    """The platform's city worth a sentence (`rankings.highlighted`), with its figures and its change."""
    figures = next((f for f in section.figures if f.city.city_id == entry.city.city_id), None)
    movement, measure = _movement(entry), _measure(section, figures)
    values: dict[str, Any] = {"city": entry.city, "platform": section.platform, "place": _place(entry)}
    if movement in {"surged", "rose"}:
        values["places"] = climb(entry)
    if measure == "score" or figures is None:
        values["score"] = entry.score
    elif measure == "views":
        values |= {"views": figures.views, "view_rate": figures.view_rate}
    else:
        values |= {"interactions": figures.interactions, "engagement_rate": figures.engagement_rate}
    condition = f"{_MOVED[movement]}; {_MEASURED[measure]}"
    return Claim(f"highlights.{section.platform}", f"highlight_{movement}_{measure}", condition, values)


def _remarks(section: PlatformSection, chosen: Entry | None) -> Iterator[Claim]:
    place, code = f"remarks.{section.platform}", section.platform
    apart = None if chosen is None else chosen.city
    also = _cities(entry for entry in section.ranking.top if entry.change.entered and entry.city != apart)
    if also:
        yield Claim(place, "remark_entered", _MOVED["entered"], {"cities": also, "platform": code})
    left = _cities(entry for entry in section.ranking.entries if _left(entry))
    if left:
        condition = "in the top ten the month before, beyond it now"
        yield Claim(place, "remark_left", condition, {"cities": left, "platform": code})
    rate = "view_rate" if section.by_views else "engagement_rate"
    best = _sole_best(section.figures, rate)
    if best is not None and best.city != apart:
        total = "views" if section.by_views else "interactions"
        values = {"city": best.city, rate: getattr(best, rate), total: getattr(best, total)}
        condition = f"the largest {rate} of the top ten, shared by none; {PODIUM} or more of them are known"
        yield Claim(place, f"remark_best_{rate}", condition, values)
    grown = _sole_best(section.figures, "follower_growth")
    if grown is not None and (grown.follower_growth or 0) > 0:
        condition = f"the largest follower_growth of the top ten, shared by none; {PODIUM} or more of them are known"
        yield Claim(place, "remark_growth", condition, {"city": grown.city, "growth": grown.follower_growth})


def _sole_best(figures: Sequence[Figures], name: str) -> Figures | None:
    """The city with the largest figure of that name, if enough are known and nobody shares it."""
    known = [one for one in figures if getattr(one, name) is not None]
    if len(known) < PODIUM:
        return None
    largest = max(getattr(one, name) for one in known)
    holders = [one for one in known if getattr(one, name) == largest]
    return holders[0] if len(holders) == 1 else None


def absence(context: ReportContext, weight: Weight, *, place: str) -> Iterator[Claim]:
    """Why a platform is left out of the composite: the coverage rule's own figures."""
    if weight.absence is None:
        return
    section = next((s for s in context.sections if s.platform == weight.platform), None)
    covered = section.coverage if section else None
    rule = context.method["platform_weights"]
    values: dict[str, Any] = {"platform": weight.platform}
    key, condition = f"absence_{weight.absence}", "no coverage of accounts is known"
    if weight.absence != "unknown_coverage":
        values |= {"coverage": weight.coverage, "enter_from": rule["enter_from"]}
        condition = "its coverage of accounts is below the share at which a platform enters"
    if weight.absence == "not_yet_entered":
        values["months"] = rule["months"]
        condition = "its coverage is high enough, but has not been for the months in a row that the rule asks for"
    if covered is not None and _agree(weight.coverage, covered):
        values |= {"with_account": covered.cities_with_account, "monitored": covered.cities_monitored}
    elif weight.coverage is not None:
        key = f"{key}_share"
    yield Claim(place, key, condition, values)


def circumstances(context: ReportContext) -> Iterator[Claim]:
    """What sets the month apart from others, each only where it is so: cities, method, platforms."""
    place, changed = "circumstances", context.cities_change
    if changed is not None:
        values: dict[str, Any] = {
            "before": changed.before, "now": changed.now, "joined": changed.joined, "left": changed.left,
        }  # fmt: skip
        key = "circumstance_cities_compared" if context.composite.compared else "circumstance_cities"
        yield Claim(place, key, "the registry's cities differ from those of the month before", values)
    if context.method_before is not None and context.method_before != context.method_version:
        values = {"version": context.method_version, "version_before": context.method_before}
        key = "circumstance_method_compared" if context.composite.compared else "circumstance_method"
        yield Claim(place, key, "the month before is bound to another version of the method", values)
    since = context.method["platforms_from"]
    for section in context.sections:
        if since.get(section.platform) == context.month.key:
            condition = "the method measures the platform from this month on"
            yield Claim(place, "circumstance_first", condition, {"platform": section.platform})
    weighed_before = any(weight.eligible and weight.previous is not None for weight in context.weights)
    for weight in context.weights:
        if weighed_before and weight.eligible and weight.previous is None:
            condition = "within the composite now, without a weight the month before"
            values = {"platform": weight.platform, "weight": weight.weight}
            yield Claim(place, "circumstance_joined", condition, values)
    for weight in context.weights:
        yield from absence(context, weight, place=place)


def _index(context: ReportContext) -> str:
    return "quantitative" if context.quantitative_only else COMPOSITE


def _place(entry: Entry) -> Place:
    return Place(entry.rank or 0, tied=entry.tied)


def _cities(entries: Sequence[Entry] | Iterator[Entry]) -> tuple[City, ...]:
    return tuple(entry.city for entry in entries)


def _meet(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def _agree(coverage: float | None, counted: Coverage) -> bool:
    """Whether the counts of cities give the share the rule was applied to: only then are they printed beside it."""
    if coverage is None or not counted.cities_monitored or counted.cities_with_account is None:
        return False
    return isclose(counted.cities_with_account / counted.cities_monitored, coverage, abs_tol=1e-9)


def _left(entry: Entry) -> bool:
    """In the top ten the month before, ranked beyond it now: said only where both ranks are comparable."""
    before = entry.previous_rank
    return entry.change.places is not None and before is not None and before <= TOP < (entry.rank or 0)


def _movement(entry: Entry) -> str:
    if entry.change.entered and climb(entry) >= SURGE:
        return "surged"
    if entry.change.entered:
        return "entered"
    if entry.change.kind == "up":
        return "rose"
    return "kept" if entry.change.kind == "same" and entry.previous_rank == 1 else "first"


def _measure(section: PlatformSection, figures: Figures | None) -> str:
    if figures is None:
        return "score"
    if section.by_views and figures.views is not None and figures.view_rate is not None:
        return "views"
    if figures.interactions is not None and figures.engagement_rate is not None:
        return "interactions"
    return "score"


def every(context: ReportContext, *, gaps: Sequence[Claim]) -> tuple[Claim, ...]:
    """All claims of an edition, in the order of the page; `gaps` are those of `gaps.py`."""
    said = [finding(context), *holes(context), *composed(context), *narrative(context), *certainty(context)]
    for section in context.sections:
        said += platform(context, section)
    return (*said, *circumstances(context), *gaps)


def grouped(claims: Sequence[Claim]) -> Mapping[str, list[Claim]]:
    """The claims by their place."""
    places: dict[str, list[Claim]] = {}
    for claim in claims:
        places.setdefault(claim.place, []).append(claim)
    return places
