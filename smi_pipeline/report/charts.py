"""The figures of the composite: the year's ranks, what the scores are made of, how firm the ranks are.

A chart is laid out once, in its own coordinates. The page draws it in its own colours, light or dark, with its data in
a table below; as a file it has a frame with title, source and, on made-up data, the mark, and brings its glyphs along.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import ceil
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from smi_pipeline.report import typeface
from smi_pipeline.report.content import TOP, City, Entry, Profile, ReportContext, YearMonth, YearPlace
from smi_pipeline.report.fonts.cut import FAMILY
from smi_pipeline.report.formats import NOTHING, Formats, Language, apportioned, rounded
from smi_pipeline.report.palette import LIGHT
from smi_pipeline.report.rankings import EXPERT, marked
from smi_pipeline.report.wording import Catalogue, catalogue

GROUPS: Final = ("generate", "interactive", "utilize", EXPERT)
CITIES_OF_INTERVALS: Final = 20
DEEPEST: Final = 20
"""The last rank of the year's chart with a line of its own; those beyond share one below it."""
PNG_SCALE: Final = 2

_MARGIN: Final = 24
_HEAD: Final = 84
_FOOT: Final = 52
_BAND: Final = 26
_TITLE_SIZE: Final = 22
_NOTE_SIZE: Final = 12
_LABEL_SIZE: Final = 13
_NAME_SIZE: Final = 14
_LEAST_FOR_A_NUMBER: Final = 34
_FURTHER: Final = 120  # at most, for what tells cities of one name apart
_COLOURS: Final[Mapping[str, tuple[str, str]]] = {
    "generate": ("navy", "on_accent"),
    "interactive": ("accent", "on_accent"),
    "utilize": ("ochre", "on_ochre"),
    EXPERT: ("bar", "ink"),
}
# Colour, dashes and the shape of the last point: any one of them tells the three lines apart.
_LINES: Final = (("accent", "", "disc"), ("navy", "", "square"), ("ink", "5 4", "diamond"))


@dataclass(frozen=True, slots=True)
class Mark:
    """One shape of a chart: line, path, rect, disc, ring, square, diamond or text, in a colour of the palette."""

    kind: str
    colour: str
    x: float = 0
    y: float = 0
    width: float = 0
    height: float = 0
    path: str = ""
    text: str = ""
    anchor: str = "start"
    size: float = _LABEL_SIZE
    bold: bool = False
    thick: float = 1
    dashes: str = ""
    opacity: float = 1


@dataclass(frozen=True)
class Chart:
    """A chart in its own coordinates, its words, and its data as a table of printed values, city first."""

    name: str
    width: int
    height: int
    title: str
    caption: str
    description: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    marks: tuple[Mark, ...]
    source: str
    synthetic: str
    language: Language

    def plot(self, colours: Mapping[str, str] | None = None) -> str:
        """The chart alone as SVG elements, in the light colours or with another value for each name of the palette."""
        return _environment().get_template("plot.svg.j2").render(marks=self.marks, colour=colours or LIGHT)

    def svg(self, *, with_glyphs: bool = True) -> str:
        """The chart as a file of its own, framed."""
        bare = self._framed("")
        if not with_glyphs:
            return bare
        return self._framed(typeface.page_css(html.unescape(bare)))

    def png(self) -> bytes:
        """The framed chart as a picture, twice as wide and high."""
        return typeface.png(self.svg(with_glyphs=False), scale=PNG_SCALE)

    def _framed(self, face: str) -> str:
        width = self.width + 2 * _MARGIN
        room = self.width
        band = _BAND if self.synthetic else 0
        return (
            _environment()
            .get_template("chart.svg.j2")
            .render(
                chart=self,
                face=Markup(face),  # noqa: S704  our own rules
                width=width,
                height=self.height + _HEAD + _FOOT + 2 * band,
                band=band,
                margin=_MARGIN,
                head=_HEAD,
                title=typeface.fitted(self.title, _TITLE_SIZE, room, weight=700),
                caption=typeface.fitted(self.caption, _NOTE_SIZE, room),
                source=typeface.fitted(self.source, _NOTE_SIZE, room),
                plot=Markup(self.plot()),  # noqa: S704  drawn and escaped by the template of the plot
                colour=LIGHT,
                family=FAMILY,
                language="zh-CN" if self.language == "zh" else "en",
            )
        )


def charts(context: ReportContext, language: Language) -> dict[str, Chart]:
    """The charts the edition has figures for: `bump`, `giu`, `intervals`. An edition without ranks has none."""
    drawer = _Drawer(context, language)
    made = (drawer.bump(), drawer.giu(), drawer.intervals())
    return {chart.name: chart for chart in made if chart is not None}


def city_year(context: ReportContext, profile: Profile, language: Language) -> Chart | None:
    """One city's ranks over the year with their intervals; null where fewer than two months have a rank of it."""
    return _Drawer(context, language).city_year(profile)


@dataclass(frozen=True)
class _Drawer:
    context: ReportContext
    language: Language
    text: Catalogue = field(init=False)
    formats: Formats = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", catalogue(self.language))
        object.__setattr__(self, "formats", Formats(self.language))

    def bump(self) -> Chart | None:
        """The year of the cities in the top ten; null where there is no other month to draw a line from."""
        top, months = self.context.composite.top[:TOP], self.context.year
        cities = [entry.city for entry in top]
        if len(months) < 2 or not any(_ranked(months[:-1], city) for city in cities):  # noqa: PLR2004  a line has two ends
            return None
        width, height, left, upper, lower = 600, 400, 34, 14, 42
        right = 112 + self._further(cities, _LABEL_SIZE)
        shown = [place.rank for month in months for city in cities if (place := _ranked([month], city)) and place.rank]
        deepest = max(min(max(shown), DEEPEST), TOP)
        beyond = max(shown) > DEEPEST
        rows = deepest + beyond
        xs = _spread(left + 10, width - right, len(months))
        step = (height - upper - lower) / max(rows - 1, 1)

        def y(rank: int) -> float:
            return upper + step * (min(rank, rows) - 1)

        marks = [*self._grid(deepest, left, width - right, y), *self._months(months, xs, height - lower + 22)]
        if beyond:
            marks.append(
                Mark(
                    "text",
                    "muted",
                    x=left - 8,
                    y=y(rows) + 4,
                    text=self.text("chart_beyond", rank=DEEPEST),
                    anchor="end",
                    size=11,
                )
            )
        chosen = self._followed(top)
        styles = {city_id: _LINES[place] for place, city_id in enumerate(chosen)}
        for entry in sorted(top, key=lambda entry: entry.city.city_id in styles):
            colour, dashes, shape = styles.get(entry.city.city_id, ("bar", "", "disc"))
            followed = entry.city.city_id in styles
            points = [
                (x, y(place.rank), place.rank > DEEPEST) if place and place.rank else None
                for x, place in zip(xs, (_ranked([month], entry.city) for month in months), strict=True)
            ]
            marks += _line(points, colour, dashes, shape, thick=3 if followed else 1.6)
        placed = _apart([y(entry.rank or 0) for entry in top], 15, upper, height - lower + 8)
        for entry, at in zip(top, placed, strict=True):
            colour = styles.get(entry.city.city_id, ("muted",))[0]
            bold = entry.city.city_id in styles
            rank = f"{self.formats.count(entry.rank)} "
            label = self._fitted(entry.city, _LABEL_SIZE, right - 18, before=rank, bold=bold)
            marks.append(Mark("text", colour, x=width - right + 14, y=at + 4.5, text=label, bold=bold))
        heads = (self.text("head_city"), *(self.formats.month(month.month) for month in months))
        return self._chart(
            "bump",
            (width, height),
            heads=heads,
            rows=tuple((self._name(city), *(self._rank_in(month, city) for month in months)) for city in cities),
            marks=marks,
            notes=self._year_notes(months),
            blanks={"count": self.formats.count(len(months))},
        )

    def giu(self) -> Chart | None:
        """The composite scores of the top ten as stacked bars of their parts."""
        rows = self.context.composition[:TOP]
        if not rows:
            return None
        groups = [group for group in GROUPS if any(group in row.groups for row in rows)]
        width, upper, step, right = 640, 40, 34, 64
        left = 92 + self._further((row.city for row in rows), _NAME_SIZE)
        marks: list[Mark] = []
        x = float(left)
        for group in groups:
            label = self.text(f"group_{group}")
            marks += [
                Mark("rect", _COLOURS[group][0], x=x, y=8, width=11, height=11),
                Mark("text", "ink", x=x + 16, y=18, text=label),
            ]
            x += 34 + typeface.width(label, _LABEL_SIZE)
        table = []
        for place, row in enumerate(rows):
            top = upper + place * step
            name = self._fitted(row.city, _NAME_SIZE, left - 12, bold=True)
            marks.append(
                Mark("text", "ink", x=left - 10, y=top + 18, text=name, anchor="end", size=_NAME_SIZE, bold=True)
            )
            begin = float(left)
            parts = [row.groups.get(group, 0.0) for group in groups]
            printed = apportioned(parts, rounded(row.score, 2))
            for group, part in zip(groups, parts, strict=True):
                length = (width - left - right) * max(part, 0.0) / 100
                if length:
                    fill, ink = _COLOURS[group]
                    marks.append(Mark("rect", fill, x=begin, y=top, width=max(length - 1, 0.5), height=25))
                    if length >= _LEAST_FOR_A_NUMBER:
                        number = f"{rounded(part, 1):f}"
                        marks.append(
                            Mark("text", ink, x=begin + length / 2, y=top + 17, text=number, anchor="middle", size=12)
                        )
                begin += length
            marks.append(
                Mark(
                    "text",
                    "ink",
                    x=begin + 8,
                    y=top + 18,
                    text=self.formats.score(row.score),
                    size=_NAME_SIZE,
                    bold=True,
                )
            )
            table.append((self._name(row.city), *(f"{part:,f}" for part in printed), self.formats.score(row.score)))
        heads = (self.text("head_city"), *(self.text(f"group_{group}") for group in groups), self.text("head_score"))
        return self._chart("giu", (width, upper + step * len(rows)), heads=heads, rows=tuple(table), marks=marks)

    def intervals(self) -> Chart | None:
        """Rank and interval of the first twenty."""
        spans = self.context.intervals
        entries = [e for e in self.context.composite.entries if e.rank is not None and spans.get(e.city.city_id)]
        entries = entries[:CITIES_OF_INTERVALS]
        if not entries:
            return None
        width, upper, step, right = 640, 34, 23, 20
        left = 104 + self._further((entry.city for entry in entries), _LABEL_SIZE)
        farthest = max((spans[entry.city.city_id] or (0, 0))[1] for entry in entries)
        ends = max(float(max(entry.rank or 0 for entry in entries)), farthest, 2.0)

        def x(rank: float) -> float:
            return left + (width - left - right) * (rank - 1) / (ends - 1)

        height = upper + step * len(entries) + 8
        marks = []
        for tick in _ticks(int(ends)):
            marks += [
                Mark("line", "grid", path=f"M{x(tick):.1f} {upper - 8} V{height - 6}"),
                Mark("text", "muted", x=x(tick), y=upper - 14, text=self.formats.count(tick), anchor="middle", size=12),
            ]
        table = []
        for place, entry in enumerate(entries):
            low, high = spans[entry.city.city_id] or (0.0, 0.0)
            rank, middle = entry.rank or 0, upper + step * place + step / 2
            within = rank <= TOP
            name = self._fitted(entry.city, _LABEL_SIZE, left - 18, bold=within)
            marks += [
                Mark("text", "ink", x=left - 14, y=middle + 4.5, text=name, anchor="end", bold=within),
                Mark(
                    "line",
                    "accent" if within else "muted",
                    path=f"M{x(low):.1f} {middle:.1f} H{x(high):.1f}",
                    thick=5,
                    opacity=0.4,
                ),
                Mark("disc" if within else "ring", "accent" if within else "muted", x=x(rank), y=middle, width=5),
            ]
            table.append((self._name(entry.city), self.formats.count(rank), self.formats.interval((low, high))))
        heads = (self.text("head_city"), self.text("head_rank"), self.text("head_interval"))
        draws = self.formats.count(self.context.method["uncertainty"]["draws"])
        return self._chart(
            "intervals", (width, height), heads=heads, rows=tuple(table), marks=marks, blanks={"draws": draws}
        )

    def city_year(self, profile: Profile) -> Chart | None:
        """See `city_year` above."""
        months = self.context.year
        places = [_ranked([month], profile.city) for month in months]
        if sum(place is not None for place in places) < 2:  # noqa: PLR2004  a line has two ends
            return None
        width, height, left, right, upper, lower = 640, 300, 40, 30, 14, 42
        deepest = max(max(float(p.rank or 0), *(p.interval or (0, 0))) for p in places if p)
        first = min(min(float(p.rank or deepest), *(p.interval or (deepest, deepest))) for p in places if p)
        first, deepest = max(first - 1, 1.0), max(deepest + 1, first + 4)
        xs = _spread(left + 16, width - right, len(months))

        def y(rank: float) -> float:
            return upper + (height - upper - lower) * (rank - first) / (deepest - first)

        marks = []
        for tick in _ticks(int(deepest)):
            if tick >= first:
                marks += [
                    Mark("line", "grid", path=f"M{left} {y(tick):.1f} H{width - right + 14}"),
                    Mark(
                        "text", "muted", x=left - 8, y=y(tick) + 4, text=self.formats.count(tick), anchor="end", size=12
                    ),
                ]
        marks += self._months(months, xs, height - lower + 22)
        for x, place in zip(xs, places, strict=True):
            if place and place.interval:
                low, high = place.interval
                marks.append(
                    Mark("line", "accent", path=f"M{x:.1f} {y(low):.1f} V{y(high):.1f}", thick=7, opacity=0.25)
                )
        points = [(x, y(p.rank), False) if p and p.rank else None for x, p in zip(xs, places, strict=True)]
        marks += _line(points, "accent", "", "disc", thick=2.5)
        for point, place in zip(points, places, strict=True):
            if point and place and place.rank:
                label = self.formats.count(place.rank)
                marks.append(Mark("text", "ink", x=point[0] + 9, y=point[1] - 7, text=label, bold=True))
        return self._chart(
            "city", (width, height), heads=(), rows=(), marks=marks, notes=self._year_notes(months), city=profile.city
        )

    def _chart(
        self,
        name: str,
        size: tuple[int, int],
        *,
        heads: tuple[str, ...],
        rows: tuple[tuple[str, ...], ...],
        marks: Sequence[Mark],
        notes: Sequence[str] = (),
        blanks: Mapping[str, str] | None = None,
        city: City | None = None,
    ) -> Chart:
        text, context = self.text, self.context
        index = text("index_quantitative" if context.quantitative_only else "index_composite")
        told = {"index": index, "month": self.formats.month(context.month), **(blanks or {})}
        told |= {"city": "" if city is None else self._name(city)}
        synthetic = text("card_synthetic") if context.synthetic else ""
        title, caption = text(f"chart_{name}_title", **told), text(f"chart_{name}_caption", **told)
        caption = text("between_sentences").join([caption, *notes])
        described = [synthetic and text("card_sentence", words=synthetic), text("card_sentence", words=title), caption]
        return Chart(
            name=name,
            width=size[0],
            height=size[1],
            title=title,
            caption=caption,
            description=text("between_sentences").join(said for said in described if said),
            heads=heads,
            rows=rows,
            marks=tuple(marks),
            source=text(f"chart_source_{context.status}", source=text("card_source", version=context.method_version)),
            synthetic=synthetic,
            language=self.language,
        )

    def _followed(self, top: Sequence[Entry]) -> list[str]:
        """Whose lines stand out: the city set off in the ranking, the first, and who moved farthest in the year."""
        months = self.context.year

        def moved(entry: Entry) -> int:
            ranks = [place.rank for month in months if (place := _ranked([month], entry.city)) and place.rank]
            return abs(ranks[0] - ranks[-1]) if ranks else 0

        wanted = [marked(self.context.composite), *(entry.city.city_id for entry in top[:1])]
        wanted += [entry.city.city_id for entry in sorted(top, key=lambda entry: -moved(entry))]
        chosen = list(dict.fromkeys(city_id for city_id in wanted if city_id is not None))
        return chosen[: len(_LINES)]

    def _grid(self, deepest: int, left: float, right: float, y: Any) -> list[Mark]:
        marks = []
        for tick in _ticks(deepest):
            marks += [
                Mark("line", "grid", path=f"M{left} {y(tick):.1f} H{right}"),
                Mark("text", "muted", x=left - 8, y=y(tick) + 4, text=self.formats.count(tick), anchor="end", size=12),
            ]
        return marks

    def _months(self, months: Sequence[YearMonth], xs: Sequence[float], y: float) -> list[Mark]:
        """The months' numbers, the year under its first; a month whose ranks are not shown is in brackets."""
        marks, before = [], None
        for month, x in zip(months, xs, strict=True):
            first = month.month.first
            number = f"{first:%m}" if month.places else f"({first:%m})"
            marks.append(Mark("text", "muted", x=x, y=y, text=number, anchor="middle", size=12))
            if first.year != before:
                marks.append(Mark("text", "muted", x=x, y=y + 15, text=str(first.year), anchor="middle", size=11))
            before = first.year
        return marks

    def _year_notes(self, months: Sequence[YearMonth]) -> list[str]:
        """What keeps the months of a year from being alike, each only where it is so."""
        computed = [month for month in months if month.status is not None]
        notes = []
        for key, missing in (
            ("chart_note_not_computed", [m.month for m in months if m.status is None]),
            ("chart_note_withheld", [m.month for m in months if m.withheld]),
            ("chart_note_provisional", [m.month for m in computed if m.status == "provisional"]),
        ):
            if missing:
                notes.append(
                    self.text(key, months=self.formats.names([self.formats.month(month) for month in missing]))
                )
        versions = dict.fromkeys(month.method_version for month in computed)
        if len(versions) > 1:
            notes.append(self.text("chart_note_versions", versions=self.formats.names([str(one) for one in versions])))
        return notes

    def _rank_in(self, month: YearMonth, city: City) -> str:
        place = _ranked([month], city)
        return self.formats.count(place.rank) if place else NOTHING

    def _name(self, city: City) -> str:
        return self.context.names[self.language](city)

    def _fitted(self, city: City, size: float, room: float, *, before: str = "", bold: bool) -> str:
        """The city's name in its place, cut where it is too long, but never what tells it from another."""
        weight, mark = 700 if bold else 400, self.context.names[self.language].mark(city)
        if not mark:
            return typeface.fitted(before + city.called(self.language), size, room, weight=weight)
        mark = typeface.fitted(mark, size, room / 2, weight=weight)
        room -= typeface.width(mark, size, weight=weight)
        return typeface.fitted(before + city.called(self.language), size, room, weight=weight) + mark

    def _further(self, cities: Iterable[City], size: float) -> int:
        """By how much the place of the names is wider than usual, for what tells cities of one name apart."""
        marks = [self.context.names[self.language].mark(city) for city in cities]
        return min(ceil(max((typeface.width(mark, size, weight=700) for mark in marks if mark), default=0)), _FURTHER)


def _ranked(months: Sequence[YearMonth], city: City) -> YearPlace | None:
    """The city's place in the first of the months in which it has a rank."""
    found = (month.places.get(city.city_id) for month in months)
    return next((place for place in found if place is not None and place.rank is not None), None)


def _spread(left: float, right: float, count: int) -> list[float]:
    if count == 1:
        return [left]
    return [left + (right - left) * place / (count - 1) for place in range(count)]


def _ticks(deepest: int) -> list[int]:
    """1, then round numbers, no more than eight."""
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10**9) if deepest / step <= 8)  # noqa: PLR2004
    return sorted({1, *range(step, deepest + 1, step)})


def _line(
    points: Sequence[tuple[float, float, bool] | None], colour: str, dashes: str, shape: str, *, thick: float
) -> list[Mark]:
    """A line through the months that have a rank, broken where one has none; the last point has the shape."""
    path, broken = [], True
    for point in points:
        if point is not None:
            path.append(f"{'M' if broken else 'L'}{point[0]:.1f} {point[1]:.1f}")
        broken = point is None
    marks = [Mark("path", colour, path=" ".join(path), thick=thick, dashes=dashes)]
    known = [point for point in points if point is not None]
    marks += [Mark("ring" if beyond else "disc", colour, x=x, y=y, width=thick) for x, y, beyond in known[:-1]]
    marks += [Mark(shape, colour, x=x, y=y, width=thick + 1.5) for x, y, _ in known[-1:]]
    return marks


def _apart(wanted: Sequence[float], least: float, upper: float, lower: float) -> list[float]:
    """Heights of labels near those wanted, in their order, none nearer to another than `least`."""
    placed: list[float] = []
    for at in wanted:
        placed.append(max(at, placed[-1] + least) if placed else max(at, upper))
    over = placed[-1] - lower if placed else 0
    for place in range(len(placed) - 1, -1, -1):
        limit = lower if place == len(placed) - 1 else placed[place + 1] - least
        placed[place] = min(placed[place], limit) if over > 0 else placed[place]
    return placed


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("smi_pipeline.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
