"""The edition as a sequence of blocks of finished words: what is printed, before anybody decides how it is set.

A block is an object of texts and lists of texts. Nothing in it is markup: whoever sets it prints each text as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

from smi_pipeline.registry.models import PLATFORMS
from smi_pipeline.report import typeface
from smi_pipeline.report.charts import charts
from smi_pipeline.report.content import City, Entry, Hashtag, PlatformSection, Post, Ranking, ReportContext
from smi_pipeline.report.editorial import FINDING
from smi_pipeline.report.fonts.cut import FAMILY
from smi_pipeline.report.formats import NOTHING, Formats, Language
from smi_pipeline.report.gaps import flags_by_name
from smi_pipeline.report.rankings import COMPOSITE, marked
from smi_pipeline.report.wording import Catalogue, catalogue, counted

POSTS: Final = 3
HASHTAGS: Final = 10

Block = dict[str, Any]


def document(context: ReportContext, language: Language) -> dict[str, Any]:
    """Front matter and blocks. Every text is one the packaged font can draw: what it lacks is boxed."""
    writer = _Writer(context, language)
    text, formats = writer.text, writer.formats
    told = context.sentences[language]
    made = {
        "language": language,
        "title": told.title,
        "issue": formats.month(context.month),
        "finding": told.finding,
        **writer.signed(),
        "synthetic": {"label": text("synthetic_label"), "text": text("synthetic_text")} if context.synthetic else None,
        "mark": text("print_mark") if context.synthetic else "",
        "page": text("pdf_page", page="{page}", pages="{pages}"),
        "footer": text("issue", month=formats.month(context.month)) + text("list_separator") + told.title,
        "facts": writer.facts(),
        "blocks": list(writer.blocks()),
    }
    return {name: _drawable(value) for name, value in made.items()}


class _Writer:
    """One edition in one language."""

    def __init__(self, context: ReportContext, language: Language) -> None:
        self.context, self.language = context, language
        self.text: Catalogue = catalogue(language)
        self.formats = Formats(language)
        self.told = context.sentences[language]

    def signed(self) -> dict[str, str]:
        """Whose words they are where editors wrote some, and where the data have holes; empty where neither."""
        text, editorial = self.text, self.context.editorial.get(self.language)
        names = {} if editorial is None else {"byline": editorial.byline, "reviewed_by": editorial.reviewed_by}
        replaced = editorial is not None and editorial.at(FINDING) is not None
        holes = text("between_sentences").join(self.told.holes)
        return {
            "byline": text("byline", **names) if names else "",
            "finding_mark": text("edited_mark") if replaced else "",
            "holes": text("holes_title") + text("colon") + holes if holes else "",
        }

    def facts(self) -> list[list[str]]:
        """Label, figure and note of what stands under the title."""
        text, formats, context = self.text, self.formats, self.context
        collected = sum(section.collected for section in context.sections)
        posts = [section.coverage.posts for section in context.sections if section.coverage.posts is not None]
        days = counted(context.counted_from, context.counted_to, self.language)
        noted = text("fact_counted", day=days) if days else ""
        return [
            [text("fact_cities"), formats.count(len(context.cities)), ""],
            [
                text("fact_platforms"),
                formats.count(collected),
                text("fact_in_composite", count=formats.count(len(context.in_composite))),
            ],
            [text("fact_posts"), formats.count(sum(posts) if posts else None), noted],
            [
                text("fact_status"),
                text(f"status_{context.status}"),
                text("fact_method", version=context.method_version),
            ],
        ]

    def blocks(self) -> Iterator[Block]:
        """The sections in the page's order."""
        yield from self.composite()
        for section in self.context.sections:
            yield from self.platform(section)
        yield from self.cities()
        yield from self.method()
        yield from self.gaps()
        yield from self.provenance()

    def composite(self) -> Iterator[Block]:
        """The first ten and what is said of them, then the charts."""
        text, context = self.text, self.context
        yield heading(text("composite_title_quantitative" if context.quantitative_only else "composite_title"))
        about = text("between_sentences").join([self._compared(context.composite), *self.told.composed])
        kept = [
            paragraph(about, "sub"),
            *self._top(context.composite, self._index(COMPOSITE)),
        ]
        if self.told.narrative and not self._replaced("composite"):
            kept.append(paragraph(text("between_sentences").join(self.told.narrative), "lead"))
        yield group(kept)
        yield from self._edited("composite")
        if self.told.certainty:
            said = paragraph(text("between_sentences").join(self.told.certainty), "lead")
            yield group([heading(text("certainty_title"), 2), said])
        movers = self._movers()
        if movers:
            title = heading(text("movers_title"), 2)
            yield group([title, {"kind": "pair", "blocks": movers}])
        for chart in charts(context, self.language).values():
            svg = (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {chart.width} {chart.height}" '
                f'width="{chart.width}" height="{chart.height}" font-family="{FAMILY}">{chart.plot()}</svg>'
            )
            yield {
                "kind": "figure",
                "title": chart.title,
                "svg": svg,
                "share": chart.width / 700,
                "alt": chart.description,
                "caption": self._marked(chart.caption),
            }

    def _movers(self) -> list[Block]:
        """The largest changes of rank, up beside down."""
        return [
            self._table(
                self.text(f"movers_{direction}"),
                ["head_city", "head_previous_rank", "head_rank", "head_change"],
                [
                    [
                        self.name(mover.city),
                        self.formats.count(mover.previous_rank),
                        self.formats.count(mover.rank),
                        ("▲ " if mover.places > 0 else "▼ ") + self.formats.count(abs(mover.places)),
                    ]
                    for mover in movers
                ],
                "lrrr",
                together=True,
            )
            for direction, movers in (("up", self.context.risers), ("down", self.context.fallers))
            if movers
        ]

    def platform(self, section: PlatformSection) -> Iterator[Block]:
        """One platform: its ten, its highlighted city with its posts, its hashtags."""
        text, code, formats = self.text, section.platform, self.formats
        platform = text(f"platform_{code}")
        yield heading(text("platform_title", platform=platform))
        kept: list[Block] = []
        if not section.collected:
            kept.append(paragraph(text("gap_not_collected", platform=platform), "reason"))
        else:
            covered = section.coverage
            counts = text(
                "platform_sub",
                posts=formats.count(covered.posts),
                answered=formats.count(covered.accounts_answered),
                asked=formats.count(covered.accounts_asked),
            )
            kept.append(paragraph(counts + text("between_sentences") + self._compared(section.ranking), "sub"))
        if code in self.told.absences:
            kept.append(paragraph(self.told.absences[code], "reason"))
        if section.collected:
            kept += self._top(section.ranking, self._index(code))
        said = [self.told.leaders.get(code), self.told.highlights.get(code), *self.told.remarks.get(code, ())]
        lead = text("between_sentences").join(one for one in said if one)
        yield group([*kept, paragraph(lead, "lead")] if lead and not self._replaced(code) else kept)
        yield from self._edited(code)
        if section.cases:
            title = text("cases_title", city=self.name(section.cases[0].city))
            yield from self._posts(title, section.cases)
        elif section.posts:
            yield from self._posts(text("posts_title"), section.posts[:POSTS])
        yield from self._hashtags(section)

    def _hashtags(self, section: PlatformSection) -> Iterator[Block]:
        text, formats = self.text, self.formats
        if not section.hashtags:
            return
        if self.context.withheld is not None:
            tags = text("list_separator").join(f"#{tag.hashtag}" for tag in section.hashtags)
            yield group(
                [
                    heading(text("hashtags_title"), 2),
                    paragraph(text("hashtags_caption_unranked"), "note"),
                    paragraph(tags),
                ]
            )
            return
        yield self._table(
            text("hashtags_title") + text("colon") + text("hashtags_caption"),
            ["head_hashtag", "head_posts", "head_interactions", "head_reach"],
            [
                [f"#{tag.hashtag}", formats.count(tag.posts), formats.count(tag.interactions), formats.count(tag.reach)]
                for tag in section.hashtags[:HASHTAGS]
            ],
            "lrrr",
            together=True,
        )

    def cities(self) -> Iterator[Block]:
        """Every monitored city."""
        text, context, formats = self.text, self.context, self.formats
        entries = context.composite.entries
        yield heading(text("cities_title", count=formats.count(len(entries))))
        month = formats.month(context.month)
        if context.withheld is not None:
            yield self._table(
                self._marked(text("cities_caption_unranked", month=month)),
                ["head_code", "head_city", "head_province", "head_notes"],
                [[e.city.city_id, self._both(e.city), e.city.province or NOTHING, self._flags(e)] for e in entries],
                "llll",
            )
            return
        yield paragraph(text("cities_sub"), "sub")
        places = {
            section.platform: {entry.city.city_id: entry.rank for entry in section.ranking.entries}
            for section in context.sections
        }
        yield self._table(
            self._marked(text("cities_caption", index=self._index(COMPOSITE), month=month)),
            [
                "head_rank", "head_city", "head_province", "head_score", "head_change", "head_interval",
                *(f"short_{code}" for code in places), "head_notes",
            ],
            [
                [
                    self._rank(entry),
                    self._both(entry.city),
                    entry.city.province or NOTHING,
                    formats.score(entry.score),
                    self._change(entry)[0] or NOTHING,
                    formats.interval(context.intervals.get(entry.city.city_id)),
                    *(formats.count(ranks.get(entry.city.city_id)) for ranks in places.values()),
                    self._flags(entry),
                ]
                for entry in entries
            ],
            "rllrrr" + "r" * len(places) + "l",
        )  # fmt: skip
        yield paragraph(text("interval_note", draws=formats.count(context.method["uncertainty"]["draws"])), "note")

    def method(self) -> Iterator[Block]:
        """What is measured, how it is weighted this month, and the rules of counting."""
        text, context, formats = self.text, self.context, self.formats
        rules = context.method
        yield heading(text("method_title", version=context.method_version))
        parts = {part: formats.whole_percent(rules["composite"][part]) for part in ("quantitative", "qualitative")}
        yield paragraph(
            text("method_composite_only") if context.quantitative_only else text("method_composite", **parts)
        )
        shares = {group: formats.whole_percent(given["weight"]) for group, given in rules["groups"].items()}
        yield paragraph(text("rate_definition") + text("between_sentences") + text("rate_remark"), "reason")
        yield from self._edited("method")
        yield self._table(
            text("indicators_caption"),
            ["head_group", "head_indicator", "head_in_group", "head_definition", "head_applies"],
            [
                [
                    f"{text('group_' + rule['group'])} {shares[rule['group']]}",
                    text(f"indicator_{indicator}"),
                    formats.whole_percent(rule["weight"]),
                    text(f"definition_{indicator}"),
                    text("list_separator").join(text(f"platform_{platform}") for platform in rule["applies"]),
                ]
                for indicator, rule in rules["indicators"].items()
            ],
            "llrll",
        )
        yield paragraph(text("indicators_note"), "note")
        if self.told.circumstances:
            yield heading(text("circumstances_title", month=formats.month(context.month)), 2)
            yield {"kind": "list", "items": list(self.told.circumstances)}
        yield from self._weights()
        yield heading(text("rules_title"), 2)
        missing = rules["missing"]
        limits = {
            "suspended": formats.whole_percent(missing["suspended_above"]),
            "partial": formats.whole_percent(missing["partial_from"]),
            "ranked": formats.percent(missing["ranked_from"]),
        }
        highlight = () if context.withheld is not None else ("highlight",)
        said = [
            text("rule_month", zone=context.zone),
            text("rule_post"),
            text("rule_reposts_in" if rules["include_reposts"] else "rule_reposts_out"),
            *(
                text(f"rule_{name}")
                for name in ("video", "null", "rates", "monotone", "followers", "ranks", *highlight, "no_account")
            ),
            text("rule_missing", **limits),
        ]
        yield {"kind": "list", "items": said}
        yield heading(text("differences_title"), 2)
        yield {
            "kind": "list",
            "items": [
                text(f"platform_{section.platform}") + text("colon") + text(f"difference_{section.platform}")
                for section in context.sections
            ],
        }

    def _weights(self) -> Iterator[Block]:
        text, context, formats = self.text, self.context, self.formats
        yield heading(text("weights_title", month=formats.month(context.month)), 2)
        if not context.weights:
            yield paragraph(text("no_weights"))
            return
        yield self._table(
            text("weights_caption"),
            ["head_platform", "head_coverage", "head_weight", "part_users", "part_activity", "part_relevance",
             "part_previous", "part_cap", "head_previous_weight"],
            [
                [
                    text(f"platform_{weight.platform}"),
                    formats.percent(weight.coverage),
                    formats.percent(weight.weight) if weight.eligible else text("left_out"),
                    *(
                        formats.percent(weight.parts.get(part))
                        for part in ("users", "activity", "relevance", "previous", "cap")
                    ),
                    formats.percent(weight.previous),
                ]
                for weight in context.weights
            ],
            "lrrrrrrrr",
            together=True,
        )  # fmt: skip
        yield self._table(
            text("inputs_caption"),
            ["head_platform", "head_factor", "head_value", "head_unit", "head_source", "head_as_of"],
            [
                [
                    text(f"platform_{weight.platform}"),
                    text.or_code("factor", given.factor),
                    formats.plain(given.value),
                    given.unit,
                    given.source or NOTHING,
                    given.as_of.isoformat(),
                ]
                for weight in context.weights
                for given in weight.inputs
            ],
            "llrlll",
        )

    def gaps(self) -> Iterator[Block]:
        """What is not known."""
        text, context, formats = self.text, self.context, self.formats
        yield heading(text("gaps_title"))
        yield paragraph(text("gaps_sub"), "sub")
        if self.told.gaps:
            yield {"kind": "list", "items": list(self.told.gaps)}
        yield from self._edited("gaps")
        covered = [section.coverage for section in context.sections]
        yield self._table(
            text("coverage_caption"),
            ["head_platform", "head_monitored", "head_with_account", "head_coverage", "head_asked", "head_answered",
             "head_posts", "head_cut"],
            [
                [
                    text(f"platform_{row.platform}"),
                    formats.count(row.cities_monitored),
                    formats.count(row.cities_with_account),
                    formats.percent(row.coverage),
                    formats.count(row.accounts_asked),
                    formats.count(row.accounts_answered),
                    formats.count(row.posts),
                    text("not_collected") if row.cut is None else text.or_code("cut", row.cut),
                ]
                for row in covered
            ],
            "lrrrrrrl",
            together=True,
        )  # fmt: skip
        if context.account_gaps:
            yield self._table(
                text("accounts_caption", count=formats.count(len(context.account_gaps))),
                ["head_platform", "head_city", "head_account", "head_outcome", "head_detail"],
                [
                    [
                        text(f"platform_{gap.platform}"),
                        self.name(gap.city),
                        f"@{gap.handle}",
                        text.or_code("outcome", gap.outcome),
                        gap.detail or NOTHING,
                    ]
                    for gap in context.account_gaps
                ],
                "lllll",
            )
        flags = flags_by_name(context, self.language)
        if flags:
            yield self._table(
                text("flags_caption"),
                ["head_flag", "head_meaning", "head_where"],
                [[flag, text.or_code("flag", flag), where] for flag, where in flags],
                "lll",
            )

    def provenance(self) -> Iterator[Block]:
        """Where it comes from."""
        text, context, formats = self.text, self.context, self.formats
        yield heading(text("provenance_title"))
        zone = ZoneInfo(context.zone)
        keys = [
            [text("provenance_snapshot"), str(context.snapshot)],
            [text("provenance_code"), context.code_version],
            [text("provenance_method"), context.method_version],
            [text("provenance_zone"), context.zone],
        ]
        told = context.experts
        if told is not None and told.vintage:
            words = text(
                "provenance_experts_text",
                vintage=formats.count(told.vintage),
                sha256=told.file_sha256,
                raters=formats.count(told.raters),
                cities=formats.count(told.rated_cities),
                alpha=formats.reached(told.alpha),
            )
            keys.append([text("provenance_experts"), words])
        yield {"kind": "keys", "items": keys}
        if context.collections:
            yield self._table(
                text("collections_caption"),
                ["head_platform", "head_collection", "head_cut", "head_finished_at", "head_requests", "head_answered"],
                [
                    [
                        text(f"platform_{row.platform}"),
                        row.collection_id,
                        text.or_code("cut", row.cut),
                        formats.moment(row.finished_at, zone),
                        formats.count(row.requests),
                        formats.count(row.accounts_answered),
                    ]
                    for row in context.collections
                ],
                "llllrr",
                together=True,
            )

    def name(self, city: City | None) -> str:
        """The city in this language; a dash for none."""
        if city is None:
            return NOTHING
        return self.context.names[self.language](city)

    def _beside(self, city: City) -> tuple[str, str]:
        """The city in this language and its other name; that is empty where it is the same."""
        own, other = city.called(self.language), city.called("en" if self.language == "zh" else "zh")
        return self.context.names[self.language].beside(city), "" if other == own else other

    def _both(self, city: City) -> str:
        return " ".join(filter(None, self._beside(city)))

    def _index(self, index_name: str) -> str:
        if index_name in PLATFORMS:
            return self.text("index_of", platform=self.text(f"platform_{index_name}"))
        return self.text("index_quantitative" if self.context.quantitative_only else "index_composite")

    def _marked(self, words: str) -> str:
        mark = self.text("synthetic_label") + self.text("between_sentences") if self.context.synthetic else ""
        return mark + words

    def _compared(self, ranking: Ranking) -> str:
        if self.context.withheld is not None:
            return self.text("listed_randomly")
        if ranking.compared:
            return self.text("compared_with", month=self.formats.month(self.context.month.previous))
        return self.text("not_compared")

    def _top(self, ranking: Ranking, index: str) -> list[Block]:
        """The first ten with bars; or the leading cities by lot; or that nobody is ranked."""
        text, month = self.text, self.formats.month(self.context.month)
        withheld = self.context.withheld
        if withheld is not None and withheld.leading.get(ranking.index_name):
            cities = withheld.leading[ranking.index_name]
            caption = text("caption_listed", month=month, index=index, count=self.formats.numeral(len(cities)))
            return [
                {
                    "kind": "listed",
                    "caption": self._marked(caption),
                    "items": [self._both(city) for city in cities],
                }
            ]
        if not ranking.top:
            key = "nobody_ranked" if ranking.index_name == COMPOSITE else "nobody_ranked_platform"
            return [paragraph(text(key, platform=text.or_code("platform", ranking.index_name)), "reason")]
        chosen = marked(ranking)
        rows = []
        for entry in ranking.top:
            change, kind = self._change(entry)
            name, other = self._beside(entry.city)
            rows.append(
                {
                    "rank": self.formats.count(entry.rank),
                    "tied": text("tied") if entry.tied else "",
                    "name": name,
                    "other": other,
                    "bar": min(max(entry.score or 0.0, 0.0), 100.0),
                    "score": self.formats.score(entry.score),
                    "change": change,
                    "kind": kind,
                    "first": (entry.rank or 0) <= 3,  # noqa: PLR2004  the podium
                    "marked": entry.city.city_id == chosen,
                }
            )
        key = "caption_composite" if ranking.index_name == COMPOSITE else "caption_platform"
        caption = text(key, month=month, index=index, platform=text.or_code("platform", ranking.index_name))
        heads = [text(f"head_{one}") for one in ("rank", "city", "score", "change")]
        return [{"kind": "top", "caption": self._marked(caption), "heads": heads, "rows": rows}]

    def _change(self, entry: Entry) -> tuple[str, str]:
        """What stands for a change of rank, and which kind it is."""
        change, formats = entry.change, self.formats
        if change.entered:
            moved = f"▲ {formats.count(change.places)} " if change.kind == "up" else ""
            return moved + self.text("badge_entered"), "entered"
        if change.kind in {"up", "down"}:
            return ("▲ " if change.kind == "up" else "▼ ") + formats.count(abs(change.places or 0)), change.kind
        if change.kind == "new":
            return self.text("badge_new"), "new"
        return ("＝" if change.kind == "same" else NOTHING), "still"

    def _rank(self, entry: Entry) -> str:
        if entry.rank is None:
            return NOTHING
        return self.formats.count(entry.rank) + (f" {self.text('tied')}" if entry.tied else "")

    def _flags(self, entry: Entry) -> str:
        return self.text("list_separator").join(self.text.or_code("flag_short", flag) for flag in entry.flags)

    def _posts(self, title: str, posts: Sequence[Post]) -> Iterator[Block]:
        """Each post stays whole; the first stays with its heading."""
        cards = [self._post(post) for post in posts]
        yield group([heading(title, 2), paragraph(self.text("posts_note", counted=self._counted()), "note"), cards[0]])
        yield from cards[1:]

    def _counted(self) -> str:
        return counted(self.context.counted_from, self.context.counted_to, self.language) or NOTHING

    def _replaced(self, place: str) -> bool:
        editorial = self.context.editorial.get(self.language)
        section = editorial.at(place) if editorial is not None else None
        return section is not None and section.way == "replace"

    def _edited(self, place: str) -> Iterator[Block]:
        """What editors wrote at a place, marked as theirs."""
        editorial = self.context.editorial.get(self.language)
        section = editorial.at(place) if editorial is not None else None
        if editorial is None or section is None:
            return
        yield {
            "kind": "edited",
            "mark": self.text("edited", byline=editorial.byline, reviewed_by=editorial.reviewed_by),
            "paragraphs": [
                {
                    "listed": block.listed,
                    "spans": [
                        {"text": span.text, "strong": span.strong or span.emphasis, "link": span.link or ""}
                        for span in block.spans
                    ],
                }
                for block in section.blocks
            ],
        }

    def _post(self, post: Post) -> Block:
        text, formats = self.text, self.formats
        counts = {
            "head_interactions": post.interactions,
            "head_likes": post.likes,
            "head_comments": post.comments,
            "head_shares": post.shares,
            "head_views": post.views,
        }
        about = [f"@{post.handle}", formats.moment(post.published_at, ZoneInfo(self.context.zone))]
        if post.kind:
            about.append(text.or_code("kind", post.kind))
        return {
            "kind": "post",
            "city": self.name(post.city) if post.city is not None else text("no_city"),
            "about": " · ".join(about),
            "text": post.text or text("no_text"),
            "counts": [f"{text(key)} {formats.count(value)}" for key, value in counts.items()],
            "tags": [self._tag(tag) for tag in post.hashtags],
            "link": post.link or "",
        }

    def _tag(self, tag: Hashtag) -> str:
        """A tag of a post with its figures over all posts of the platform."""
        counts = {"head_posts": tag.posts, "head_interactions": tag.interactions, "head_reach": tag.reach}
        said = [f"{self.text(key)} {self.formats.count(value)}" for key, value in counts.items()]
        return "  ".join([f"#{tag.hashtag}", self.text("case_tags"), *said])

    def _table(
        self, caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]], sides: str, *, together: bool = False
    ) -> Block:
        """A table of texts; `sides` has l or r a column; `together` keeps a short one on one page."""
        return {
            "kind": "table",
            "caption": caption,
            "heads": [self.text(key) for key in heads],
            "rows": [list(row) for row in rows],
            "sides": list(sides),
            "widths": _widths([[self.text(key) for key in heads], *rows], sides),
            "together": together,
        }


def heading(words: str, level: int = 1) -> Block:
    """A heading of a section (1) or of a part of one (2)."""
    return {"kind": "heading", "text": words, "level": level}


def paragraph(words: str, style: str = "plain") -> Block:
    """A paragraph: plain, lead, sub, note or reason."""
    return {"kind": "paragraph", "text": words, "style": style}


def group(blocks: Sequence[Block]) -> Block:
    """Blocks that stay on one page."""
    return {"kind": "group", "blocks": list(blocks)}


_WORD: Final = 24
_LONG: Final = 14
_PART: Final = 9.0


def _widths(rows: Sequence[Sequence[str]], sides: str) -> list[float]:
    """How wide each column wants to be, in characters of a hanzi's width; 0 for one that takes its own width.

    A column of short texts is as wide as the longest; columns of sentences share what is left, by the mean of theirs.
    Where there is none, the first column that is read from the left takes what is left.
    """
    widths = []
    for column in zip(*rows, strict=True):
        lengths = [typeface.width(cell[:_WORD], 1) for cell in column]
        whole = [typeface.width(cell, 1) for cell in column]
        widths.append(0.0 if max(lengths) <= _LONG and max(whole) <= _LONG else max(_PART, sum(whole) / len(whole)))
    if not any(widths):
        widths[sides.index("l")] = 1.0
    return widths


def _drawable(value: Any) -> Any:
    """Every text of a value as the font can draw it."""
    if isinstance(value, str):
        return typeface.drawable(value)
    if isinstance(value, Mapping):
        return {name: inner if name == "svg" else _drawable(inner) for name, inner in value.items()}
    return [_drawable(inner) for inner in value] if isinstance(value, list) else value
