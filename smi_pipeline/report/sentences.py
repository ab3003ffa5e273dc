"""The claims of an edition, each worded only after its condition was tested on the values.

Where no condition holds there is no sentence: a neutral one takes its place, or none at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isclose
from typing import Final

from smi_pipeline.report.content import (
    TOP,
    City,
    Coverage,
    Entry,
    Figures,
    PlatformSection,
    Ranking,
    ReportContext,
    Sentences,
    Weight,
)
from smi_pipeline.report.formats import Formats, Language
from smi_pipeline.report.rankings import COMPOSITE, climb, highlighted
from smi_pipeline.report.wording import Catalogue, catalogue

SURGE: Final = 10  # places: from here on a climb into the top ten is called a marked one
PODIUM: Final = 3


class Speaker:
    """Words the claims of one edition in one language."""

    def __init__(self, context: ReportContext, language: Language) -> None:
        self._context = context
        self._text: Catalogue = catalogue(language)
        self._format = Formats(language)

    def sentences(self, *, title: str | None) -> Sentences:
        """All claims; `title` replaces the index's own name."""
        sections = self._context.sections
        return Sentences(
            title=title or self._text("title"),
            finding=self.finding(),
            narrative=tuple(self.narrative()),
            leaders={section.platform: said for section in sections if (said := self.leaders(section))},
            highlights={section.platform: said for section in sections if (said := self.highlight(section))},
            absences={w.platform: said for w in self._context.weights if (said := self.absence(w))},
            circumstances=tuple(self.circumstances()),
        )

    def finding(self) -> str:
        """The edition in one sentence: who leads, and who came into the top ten; or whom it lists, and why so."""
        withheld = self._context.withheld
        if withheld is not None and withheld.leading[COMPOSITE]:
            return self._text(
                "finding_withheld",
                index=self._index(),
                count=self._format.numeral(len(withheld.leading[COMPOSITE])),
                cities=self._names(withheld.leading[COMPOSITE]),
                reason=withheld.reason[self._format.language],
            )
        ranking = self._context.composite
        leaders = [entry for entry in ranking.entries if entry.rank == 1]
        if not leaders:
            return self._text("finding_none")
        entered = [entry.city for entry in ranking.top if entry.change.entered and entry.rank != 1]
        first = leaders[0]
        if len(leaders) > 1:
            kind = "tied"
        elif first.change.kind == "same" and first.previous_rank == 1:
            kind = "kept"
        elif first.change.kind == "up":
            kind = "rose"
        else:
            kind = "leads"
        return self._text(
            f"finding_{kind}_entered" if entered else f"finding_{kind}",
            index=self._index(),
            cities=self._names([entry.city for entry in leaders]),
            score=self._format.score(first.score),
            places=self._format.places(abs(first.change.places or 0)),
            entered=self._names(entered),
        )

    def narrative(self) -> list[str]:
        """How many are ranked, and the composite top ten against the month before as far as that was computed."""
        ranking = self._context.composite
        ranked = sum(entry.rank is not None for entry in ranking.entries)
        said = []
        if ranked:
            said.append(
                self._text(
                    "narrative_ranked",
                    ranked=self._format.count(ranked),
                    cities=self._format.count(len(ranking.entries)),
                )
            )
        order = self._order(ranking, self._index())
        if order:
            said.append(order)
        risers = [entry for entry in ranking.top if entry.change.kind == "up"]
        if risers:
            best = max(risers, key=climb)
            said.append(
                self._text(
                    "narrative_rose",
                    city=self._name(best.city),
                    ordinal=self._format.ordinal(best.rank or 0),
                    places=self._format.places(climb(best)),
                )
            )
        unchanged = [entry.city for entry in ranking.top if entry.change.kind == "same"]
        if unchanged:
            said.append(self._text("narrative_unchanged", cities=self._names(unchanged)))
        entered = [entry.city for entry in ranking.top if entry.change.entered]
        if entered:
            said.append(self._text("narrative_entered", cities=self._names(entered)))
        left = [entry.city for entry in ranking.entries if _left(entry)]
        if left:
            said.append(self._text("narrative_left", cities=self._names(left)))
        return said

    def leaders(self, section: PlatformSection) -> str | None:
        """The platform's top ten by name, in their order."""
        return self._order(section.ranking, self._text("index_of", platform=self._text(f"platform_{section.platform}")))

    def _order(self, ranking: Ranking, index: str) -> str | None:
        """The cities of a top ten, said to be in order only where no place is shared."""
        if len(ranking.top) < PODIUM:
            return None
        tied = any(entry.tied for entry in ranking.top)
        return self._text(
            "leaders_tied" if tied else "leaders",
            index=index,
            count=self._format.numeral(len(ranking.top)),
            cities=self._names([entry.city for entry in ranking.top]),
        )

    def highlight(self, section: PlatformSection) -> str | None:
        """The platform's city worth a sentence: the farthest climb into the top ten, else within it, else the first."""
        entry = highlighted(section.ranking)
        if entry is None:
            return None
        figures = next((f for f in section.figures if f.city.city_id == entry.city.city_id), None)
        return self._text(
            f"highlight_{_movement(entry)}_{_measure(section, figures)}",
            city=self._name(entry.city),
            platform=self._text(f"platform_{section.platform}"),
            ordinal=self._format.ordinal(entry.rank or 0),
            places=self._format.places(climb(entry)),
            score=self._format.score(entry.score),
            interactions=self._format.spoken(figures.interactions if figures else None),
            engagement_rate=self._format.rate(figures.engagement_rate if figures else None),
            views=self._format.spoken(figures.views if figures else None),
            view_rate=self._format.rate(figures.view_rate if figures else None),
        )

    def absence(self, weight: Weight) -> str | None:
        """Why a platform is left out of the composite: the coverage rule's own figures."""
        if weight.absence is None:
            return None
        section = next((s for s in self._context.sections if s.platform == weight.platform), None)
        covered = section.coverage if section else None
        counts = covered is not None and _agree(weight.coverage, covered)
        rule = self._context.method["platform_weights"]
        return self._text(
            f"absence_{weight.absence}" if counts or weight.coverage is None else f"absence_{weight.absence}_share",
            platform=self._text(f"platform_{weight.platform}"),
            coverage=self._format.percent(weight.coverage),
            with_account=self._format.count(covered.cities_with_account if covered else None),
            monitored=self._format.count(covered.cities_monitored if covered else None),
            enter_from=self._format.whole_percent(rule["enter_from"]),
            months=self._format.count(rule["months"]),
        )

    def circumstances(self) -> Iterator[str]:
        """What sets the month apart from others, each only where it is so."""
        context, f = self._context, self._format
        changed = context.cities_change
        if changed is not None:
            yield self._text(
                "circumstance_cities_compared" if context.composite.compared else "circumstance_cities",
                before=f.count(changed.before),
                now=f.count(changed.now),
                joined=f.count(changed.joined),
                left=f.count(changed.left),
            )
        since = context.method["platforms_from"]
        for section in context.sections:
            if since.get(section.platform) == context.month.key:
                yield self._text("circumstance_first", platform=self._text(f"platform_{section.platform}"))
        yield from (said for weight in context.weights if (said := self.absence(weight)))

    def _index(self) -> str:
        return self._text("index_quantitative" if self._context.quantitative_only else "index_composite")

    def _name(self, city: City) -> str:
        return city.name_zh if self._format.language == "zh" else city.name_en

    def _names(self, cities: Sequence[City]) -> str:
        return self._format.names([self._name(city) for city in cities])


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
    return "rose" if entry.change.kind == "up" else "first"


def _measure(section: PlatformSection, figures: Figures | None) -> str:
    if figures is None:
        return "score"
    if section.by_views and figures.views is not None and figures.view_rate is not None:
        return "views"
    if figures.interactions is not None and figures.engagement_rate is not None:
        return "interactions"
    return "score"
