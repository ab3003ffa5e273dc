"""The whole content of an edition as plain values: what the pages, report.json and every later format are made from.

Scores and rates are unrounded; null means not known and is never zero. Only `sentences` is in a language.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

from smi_pipeline.months import Month
from smi_pipeline.registry.models import Platform
from smi_pipeline.report.editorial import Editorial
from smi_pipeline.report.formats import LANGUAGES, Language
from smi_pipeline.report.inputs import Status

TOP = 10

ChangeKind = Literal["not_computed", "same", "up", "down", "new"]
Absence = Literal["below_entry", "not_yet_entered", "unknown_coverage"]


@dataclass(frozen=True)
class City:
    """A monitored city as the registry names it."""

    city_id: str
    name_zh: str
    name_en: str
    province: str

    def called(self, language: Language) -> str:
        """Its name in a language."""
        return self.name_zh if language == "zh" else self.name_en


@dataclass(frozen=True)
class Names:
    """What cities are called in one language, told apart where several have the same name.

    `marks` has, by city id, what follows a shared name where it stands alone; `twins` the ids of cities that share both
    of their names with another.
    """

    language: Language
    marks: Mapping[str, str] = field(default_factory=dict)
    twins: frozenset[str] = frozenset()

    @classmethod
    def of(cls, cities: Iterable[City], language: Language) -> Self:
        """The names of an edition's cities. A shared one is followed by what no namesake has.

        That is the other name or the province (in Chinese the province or the other name); else the id.
        """
        other: Language = "en" if language == "zh" else "zh"
        ways: list[Callable[[City], str]] = [lambda city: city.called(other), lambda city: city.province]
        by_name: dict[str, dict[str, City]] = defaultdict(dict)
        for city in cities:
            by_name[city.called(language).casefold()][city.city_id] = city
        marks: dict[str, str] = {}
        twins: set[str] = set()
        for name, namesakes in by_name.items():
            if len(namesakes) == 1:
                continue
            others = [city.called(other).casefold() for city in namesakes.values()]
            twins |= {one for one, city in namesakes.items() if others.count(city.called(other).casefold()) > 1}
            way = next(
                (
                    way
                    for way in (reversed(ways) if language == "zh" else ways)
                    if len({way(city).casefold() for city in namesakes.values()} - {"", name}) == len(namesakes)
                ),
                lambda city: city.city_id,
            )
            form = "（{}）" if language == "zh" else " ({})"
            marks |= {one: form.format(way(city)) for one, city in namesakes.items()}
        return cls(language, marks, frozenset(twins))

    def __call__(self, city: City) -> str:
        """A city where its name stands alone."""
        return city.called(self.language) + self.mark(city)

    def mark(self, city: City) -> str:
        """What tells a city from others of its name, brackets included; empty where its name is its own."""
        return self.marks.get(city.city_id, "")

    def beside(self, city: City) -> str:
        """A city where its other name follows, which tells it apart unless that is shared, too."""
        return self(city) if city.city_id in self.twins else city.called(self.language)

    def all(self, cities: Iterable[City]) -> list[str]:
        """Several cities, each as it is called alone."""
        return [self(city) for city in cities]


@dataclass(frozen=True)
class Change:
    """A rank against the month before, within the cities ranked in both.

    `new` means: the month before was computed and the city had no rank in it. `entered` means: in the top ten now, and
    there with no rank or one beyond ten. `not_computed` says nothing at all.
    """

    kind: ChangeKind
    places: int | None
    entered: bool


@dataclass(frozen=True)
class Entry:
    """One city's place in a ranking. A null rank is a city that is listed, not ranked: `flags` say why."""

    city: City
    rank: int | None
    tied: bool
    score: float | None
    previous_rank: int | None
    change: Change
    flags: tuple[str, ...]


@dataclass(frozen=True)
class Ranking:
    """A ranking by rank, then city id; then the cities without a rank by falling score."""

    index_name: str
    compared: bool
    """Whether some city has a rank of the month before: only then anything is said about change."""
    entries: tuple[Entry, ...]

    @property
    def top(self) -> tuple[Entry, ...]:
        """Ranks 1 to 10: fewer cities where fewer are ranked, more where the tenth place is tied."""
        return tuple(entry for entry in self.entries if entry.rank is not None and entry.rank <= TOP)

    @property
    def apart(self) -> tuple[Entry, ...]:
        """Those of the top ten whose change is not the plain difference of the two ranks printed."""
        return tuple(
            entry
            for entry in self.top
            if entry.change.places is not None
            and entry.rank is not None
            and entry.previous_rank is not None
            and entry.previous_rank - entry.rank != entry.change.places
        )


@dataclass(frozen=True)
class Composition:
    """Where a city's composite score comes from, in points.

    By platform and experts, and again by group of indicators and experts: each adds up to the score.
    """

    city: City
    score: float
    points: Mapping[str, float]
    groups: Mapping[str, float]


@dataclass(frozen=True)
class Mover:
    """A large change of rank in the composite; positive places are up."""

    city: City
    rank: int
    previous_rank: int
    places: int

    @property
    def plain(self) -> bool:
        """Whether the places are the difference of the two ranks printed."""
        return self.previous_rank - self.rank == self.places


@dataclass(frozen=True)
class Figures:
    """A city's counts of the month on one platform, as reported; rates are per post or per video."""

    city: City
    accounts: int
    posts: int | None
    videos: int | None
    interactions: int | None
    engagement_rate: float | None
    views: int | None
    view_rate: float | None
    followers: int | None
    follower_growth: int | None
    flags: tuple[str, ...]


@dataclass(frozen=True)
class Hashtag:
    """A hashtag, without `#`, over all posts of a platform: reach as marts.hashtags defines it.

    Figures are null, number of posts included, where an edition withholds them.
    """

    hashtag: str
    posts: int | None
    interactions: int | None
    reach: int | None


@dataclass(frozen=True)
class Post:
    """A post of the month. The text is cleaned and cut; `link` is null unless it is a plain https address."""

    city: City | None
    account_id: str
    handle: str
    post_id: str
    position: int
    city_position: int
    published_at: datetime
    kind: str | None
    text: str
    link: str | None
    likes: int | None
    comments: int | None
    shares: int | None
    views: int | None
    interactions: int | None
    hashtags: tuple[Hashtag, ...] = ()
    """Those of its tags the month's hashtags know, with their figures over all posts; told of cases only."""


@dataclass(frozen=True)
class Coverage:
    """What was monitored, asked and answered on a platform; collection_id is null where nothing was collected."""

    platform: Platform
    cities_monitored: int | None
    cities_with_account: int | None
    coverage: float | None
    accounts_asked: int | None
    accounts_answered: int | None
    posts: int | None
    collection_id: str | None
    cut: str | None


@dataclass(frozen=True)
class WeightInput:
    """One dated input of a platform weight, as its source states it. `share` is of the five platforms' sum."""

    factor: str
    value: float
    unit: str
    share: float
    source: str | None
    as_of: date
    retrieved_at: date | None
    stale: bool


@dataclass(frozen=True)
class Weight:
    """A platform's weight of the month, the parts that add up to it, and its inputs.

    `absence` says why a platform is left out of the composite and is null for those within.
    """

    platform: Platform
    weight: float
    eligible: bool
    coverage: float | None
    absence: Absence | None
    parts: Mapping[str, float]
    base: float | None
    previous: float | None
    inputs: tuple[WeightInput, ...]
    flags: tuple[str, ...]


@dataclass(frozen=True)
class PlatformSection:
    """Everything the report says about one platform."""

    platform: Platform
    collected: bool
    by_views: bool
    """Whether its rate is per video (YouTube, TikTok): then views tell more than interactions."""
    ranking: Ranking
    figures: tuple[Figures, ...]
    """Of the cities in the ranking's top ten, in its order."""
    posts: tuple[Post, ...]
    """The ten with the most interactions."""
    cases: tuple[Post, ...]
    """The best posts of the highlighted city, at most three."""
    hashtags: tuple[Hashtag, ...]
    weight: Weight | None
    coverage: Coverage
    flagged: Mapping[str, int]
    """Cities by a flag of their figures (metrics.city_platform_month), in number; a flag that none has is not there."""


@dataclass(frozen=True)
class AccountGap:
    """An account that did not answer, or not to the end: its outcome, and the platform's own words cleaned."""

    platform: Platform
    city: City | None
    account_id: str
    handle: str
    outcome: str
    detail: str | None


@dataclass(frozen=True)
class Suspension:
    """An indicator nobody was scored by on a platform this month, because too few accounts could be observed."""

    platform: Platform
    indicator: str


@dataclass(frozen=True)
class FlagCount:
    """How many cities carry a flag in one ranking."""

    flag: str
    index_name: str
    cities: int


@dataclass(frozen=True)
class Experts:
    """How the month's raters agree, and what stands against releasing their scores (`flags`). Vintage: their file's."""

    vintage: int | None
    file_sha256: str | None
    raters: int
    cities: int
    rated_cities: int
    cities_with_enough: int
    alpha: float | None
    icc_single: float | None
    icc_average: float | None
    released: bool
    flags: tuple[str, ...]


@dataclass(frozen=True)
class CitiesChange:
    """How the monitored cities differ from those of the month before."""

    before: int
    now: int
    joined: int
    left: int


@dataclass(frozen=True)
class Collection:
    """A collection the edition rests on."""

    collection_id: str
    platform: Platform
    cut: str
    started_at: datetime
    finished_at: datetime
    requests: int | None
    accounts_asked: int | None
    accounts_answered: int | None
    accounts_failed: int | None


@dataclass(frozen=True)
class YearPlace:
    """A city's rank in the composite of a month, and the range in which nine of ten draws put it."""

    rank: int | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class YearMonth:
    """One month of the year that ends with the edition's.

    `places` has the cities of the month; it is empty where the month was not computed (`status` is null then) and where
    it was published without ranks (`withheld`).
    """

    month: Month
    status: Status | None
    method_version: str | None
    withheld: bool
    places: Mapping[str, YearPlace]


@dataclass(frozen=True)
class Measure:
    """One indicator of a city on a platform: as measured, in points of a hundred, and in points of the composite.

    `contribution` is null where the platform puts nothing into the city's score.
    """

    platform: Platform
    indicator: str
    value: float | None
    points: float | None
    contribution: float | None
    flags: tuple[str, ...]


@dataclass(frozen=True)
class Profile:
    """What is known about one city: the stuff of its own page, and of the table of all indicators."""

    city: City
    figures: Mapping[Platform, Figures]
    measures: tuple[Measure, ...]
    """By platform, then in the method's order of indicators."""
    expert: float | None
    """Points of the experts' part of the composite score; null where it does not count."""
    posts: Mapping[Platform, tuple[Post, ...]]
    """At most three a platform, by interactions."""
    ranks: Mapping[Month, Mapping[Platform, int | None]]
    """Its rank on each platform, by month of the year; of months that are not shown there is none."""


@dataclass(frozen=True)
class Withheld:
    """Why the edition has no ranks, and whom it lists instead.

    `leading` are the cities with a rank up to ten, by index, in an order drawn by lot: it says nothing about them.
    """

    reason: Mapping[Language, str]
    leading: Mapping[str, tuple[City, ...]]


@dataclass(frozen=True)
class Place:
    """A rank as a sentence states it."""

    rank: int
    tied: bool


@dataclass(frozen=True)
class Claim:
    """One sentence of the edition before it is in a language.

    `condition` is what was found to be so before it was said, in English; `values` are what it states, unrounded, by
    the blank of the sentence they fill.
    """

    place: str
    """Where it stands: finding, narrative, leaders.facebook ..."""
    key: str
    """Its sentence in the catalogues."""
    condition: str
    values: Mapping[str, Any]
    said: Mapping[Language, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Moved:
    """A city whose rank or score in an index is not what the edition before said; null where it had (has) none."""

    index_name: str
    city: City
    rank_before: int | None
    rank: int | None
    score_before: float | None
    score: float | None


@dataclass(frozen=True)
class Revision:
    """What this edition of a month says otherwise than the one before it (`number - 1`), and why.

    `causes` name what it is made from otherwise; `moved` has the largest moves of each index first. Where either
    edition withholds its ranks `withheld` is true and nothing is listed.
    """

    number: int
    draft: bool
    reason: str | None
    causes: Mapping[str, tuple[str, ...]]
    moved: tuple[Moved, ...]
    withheld: bool


@dataclass(frozen=True)
class Sentences:
    """The claims of the edition in one language, by where they stand; mappings are by platform."""

    title: str
    finding: str
    holes: tuple[str, ...]
    """Where the data have holes, in short."""
    composed: tuple[str, ...]
    """What the composite is made of this month."""
    narrative: tuple[str, ...]
    certainty: tuple[str, ...]
    """How firm the first place and the top ten are."""
    leaders: Mapping[str, str]
    highlights: Mapping[str, str]
    remarks: Mapping[str, tuple[str, ...]]
    """What else stands out in a platform's top ten."""
    absences: Mapping[str, str]
    circumstances: tuple[str, ...]
    """What sets the month apart: cities that came or went, another method, platforms that are new or left out."""
    gaps: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ReportContext:
    """One edition."""

    month: Month
    zone: str
    status: Status
    synthetic: bool
    quantitative_only: bool
    """No city has an expert score: the composite is the measured part alone, and is called so."""
    cities: tuple[City, ...]
    composite: Ranking
    quantitative: Mapping[str, float | None]
    qualitative: Mapping[str, float | None]
    intervals: Mapping[str, tuple[float, float] | None]
    """The range of ranks in which nine of ten draws with other choices lie, by city; null where it is not ranked."""
    cities_change: CitiesChange | None
    """Null where the same cities are monitored as in the month before, or none were."""
    composition: tuple[Composition, ...]
    risers: tuple[Mover, ...]
    fallers: tuple[Mover, ...]
    sections: tuple[PlatformSection, ...]
    weights: tuple[Weight, ...]
    account_gaps: tuple[AccountGap, ...]
    suspensions: tuple[Suspension, ...]
    flag_counts: tuple[FlagCount, ...]
    experts: Experts | None
    collections: tuple[Collection, ...]
    counted_from: date | None
    counted_to: date | None
    year: tuple[YearMonth, ...]
    """From the first computed month of the twelve to this one, without a gap; none in an edition without ranks."""
    profiles: tuple[Profile, ...]
    """One a monitored city, by its id; none in an edition without ranks. Too long for report.json, which lacks them."""
    method: Mapping[str, Any]
    method_before: str | None
    """Version of the method the month before is bound to; null where it is not measured."""
    code_version: str
    snapshot: int
    rankings: tuple[Mapping[str, Any], ...]
    """marts.rankings, all rows and columns, with the cities' names, in the order of the CSV."""
    withheld: Withheld | None
    """Null in an edition with ranks. In one without, no value here tells an order of the cities."""
    editorial: Mapping[Language, Editorial]
    """What editors wrote, by language: it is printed as theirs, beside what was computed or in its place."""
    claims: tuple[Claim, ...]
    """Every sentence with its condition and the values it states."""
    revision: Revision | None
    """Null in a month's first edition."""
    sentences: Mapping[Language, Sentences]

    @cached_property
    def names(self) -> Mapping[Language, Names]:
        """What the monitored cities are called, by language."""
        return {language: Names.of(self.cities, language) for language in LANGUAGES}

    @property
    def method_version(self) -> str:
        """Name of the method version."""
        return str(self.method["version"])

    @property
    def dated(self) -> datetime:
        """When the edition's figures were complete, in UTC: the date files carry instead of the clock's."""
        finished = [collection.finished_at for collection in self.collections]
        return max(finished, default=self.month.next.start(ZoneInfo(self.zone)).astimezone(UTC))

    @property
    def in_composite(self) -> tuple[Platform, ...]:
        """The platforms that make up the composite this month."""
        return tuple(weight.platform for weight in self.weights if weight.eligible)
