"""Why one city has its rank, in sentences: each worded only after its condition was tested on the values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from smi_pipeline.index.contributions import EXPERT
from smi_pipeline.report.content import City, Names
from smi_pipeline.report.explained import (
    AccountPart,
    Amount,
    BestPost,
    ChangePart,
    EffectPart,
    Explanation,
    IndicatorPart,
    PlatformPart,
)
from smi_pipeline.report.formats import Formats, Language
from smi_pipeline.report.gaps import expert_claims
from smi_pipeline.report.rankings import COMPOSITE
from smi_pipeline.report.sentences import Wording
from smi_pipeline.report.wording import catalogue

TIER_SHOWN: Final = 8
PARTS_SHOWN: Final = 3
_TOLERANCE: Final = 1e-9
_UNRANKED: Final = ("no_account", "insufficient", "no_expert_score")
_COUNTS: Final = frozenset({"posts", "videos", "interactions", "followers", "views"})


@dataclass(frozen=True)
class Section:
    """A heading and what is said under it; `lists` are lines of their own, like an indicator's."""

    heading: str
    sentences: tuple[str, ...]
    lists: tuple[tuple[str, ...], ...] = ()


def explanation_text(explanation: Explanation, language: Language) -> str:
    """The explanation as a terminal shows it."""
    words = Words(explanation, language)
    text, join = catalogue(language), catalogue(language)("between_sentences").join
    lines = [words.title]
    if explanation.synthetic:
        lines.append(join([text("synthetic_label"), text("synthetic_text")]))
    if explanation.withheld:
        lines.append(text("explain_withheld"))
    for section in words.sections():
        lines += ["", f"## {section.heading}"]
        lines += [join(section.sentences)] if section.sentences else []
        for listed in section.lists:
            lines += [f"- {listed[0]}", *(f"  - {line}" for line in listed[1:])]
    return "\n".join(lines) + "\n"


class Words:
    """Words one explanation in one language."""

    def __init__(self, explanation: Explanation, language: Language) -> None:
        self._given = explanation
        self._text = catalogue(language)
        self._format = Formats(language)
        self._names = Names.of(explanation.cities, language)

    @property
    def title(self) -> str:
        """City and month."""
        return self._text("explain_title", city=self.name(self._given.city), month=self._month())

    def sections(self) -> list[Section]:
        """All that is said, in order; a section nothing is said in is left out."""
        given, text = self._given, self._text
        platforms = tuple((self.platform(part), *self.indicators(part)) for part in given.platforms)
        sections = [
            Section(text("explain_heading_standing"), tuple(self.standing())),
            Section(text("explain_heading_interval"), tuple(self.interval())),
            Section(text("explain_heading_platforms"), (text("explain_rounded"),), platforms),
            Section(text("group_expert"), tuple(self.experts())),
            Section(text("explain_heading_change"), tuple(self.change())),
            Section(text("explain_heading_accounts"), tuple(self.accounts())),
            Section(
                text("explain_heading_posts"),
                (text("explain_posts_note" if given.posts else "explain_posts_none"),),
                tuple(self.post(post) for post in given.posts),
            ),
            Section(text("gaps_title"), (), tuple((line,) for line in self.gaps())),
        ]
        return [section for section in sections if section.sentences or section.lists]

    def name(self, city: City) -> str:
        """The city in the language."""
        return self._names(city)

    def standing(self) -> Iterator[str]:
        """Rank, score, status, and what the score adds up from."""
        given, said, f = self._given, self._given.standing, self._format
        kind = "ranked" if said.rank is not None else "unranked"
        if said.rank is None and said.score is None:
            kind = "unscored"
        yield self._text(
            f"explain_{kind}_tied" if said.tied else f"explain_{kind}",
            city=self.name(given.city),
            month=self._month(),
            index=self._text("index_quantitative" if given.quantitative_only else "index_composite"),
            ordinal=f.ordinal(said.rank or 0),
            score=f.score(said.score),
            ranked=f.count(said.ranked),
        )
        for reason in _UNRANKED:
            if said.rank is None and reason in said.flags:
                needed = given.method["missing"]["ranked_from"]
                observed = f.percent(said.observed_weight or 0.0)
                yield self._text(f"explain_because_{reason}", observed=observed, needed=f.percent(needed))
        shares = given.method["composite"]
        parted = given.status == "final" and None not in {said.quantitative, said.qualitative}
        yield self._text(
            f"explain_status_{given.status}" if parted or given.status != "final" else "explain_status_final_unscored",
            version=given.method_version,
            quantitative=f.score(said.quantitative),
            share=f.whole_percent(shares["quantitative"]),
            qualitative=f.score(said.qualitative),
            rest=f.whole_percent(shares["qualitative"]),
        )
        if given.score is not None:
            parts = [
                self._text("explain_sum_part", source=self._source(source), points=f.score(amount.shown))
                for source, amount in self.sum_parts()
            ]
            if parts:
                yield self._text("explain_sum", parts=f.names(parts), score=f.score(given.score.shown))

    def sum_parts(self) -> list[tuple[str, Amount]]:
        """What the score adds up from: platforms that contribute, and the experts where they count."""
        parts = [(part.platform, part.contribution) for part in self._given.platforms]
        every = [*parts, (EXPERT, self._given.experts.contribution)]
        return [(source, amount) for source, amount in every if amount is not None]

    def interval(self) -> Iterator[str]:
        """Where the rank lies in draws, and with whom it shares a tier."""
        drawn, f, rank = self._given.interval, self._format, self._given.standing.rank
        if drawn is None:
            return
        yield self._text(
            "explain_interval" if drawn.low < drawn.high else "explain_interval_narrow",
            draws=f.count(drawn.draws),
            median=f.rate(drawn.median),
            low=f.rate(drawn.low),
            high=f.rate(drawn.high),
            probability=f.percent(drawn.top_probability),
        )
        if rank is not None and not drawn.low <= rank <= drawn.high:
            yield self._text("explain_interval_outside", rank=f.count(rank))
        others = [self.name(city) for city in drawn.others]
        tier = "alone" if not others else "shared" if len(others) <= TIER_SHOWN else "near"
        yield self._text(
            f"explain_tier_{tier}",
            tier=f.count(drawn.tier),
            count=f.count(len(others)),
            cities=f.names(others[:TIER_SHOWN]),
        )

    def platform(self, part: PlatformPart) -> str:
        """What a platform gives the score, or why it gives nothing."""
        f, weight = self._format, part.weight
        blanks = {
            "platform": self._text(f"platform_{part.platform}"),
            "score": f.score(part.score),
            "ordinal": f.ordinal(part.rank or 0),
            "ranked": f.count(part.ranked),
            "weight": f.percent(weight.weight if weight else None),
            "points": f.score(part.contribution.shown if part.contribution else None),
        }
        if part.state in {"counted", "left_out"}:
            said = [self._text(f"explain_platform_{part.state}", **blanks)]
        else:
            said = [self._text(f"explain_platform_{part.state}{'' if part.eligible else '_apart'}", **blanks)]
        if weight is not None and weight.absence is not None:
            rule = self._given.method["platform_weights"]
            key = "absence_unknown_coverage" if weight.coverage is None else f"absence_{weight.absence}_share"
            said.append(
                self._text(
                    key,
                    platform=blanks["platform"],
                    coverage=f.percent(weight.coverage),
                    enter_from=f.whole_percent(rule["enter_from"]),
                    months=f.count(rule["months"]),
                )
            )
        if weight is not None and part.effective is not None and abs(part.effective - weight.weight) > _TOLERANCE:
            effective = f.percent(part.effective)
            said.append(self._text("explain_weight_effective", platform=blanks["platform"], effective=effective))
        return self._text("between_sentences").join(said)

    def indicators(self, part: PlatformPart) -> Iterator[str]:
        """A line an indicator, the largest part first."""
        for one in part.indicators:
            state: str = one.state
            if one.contribution is None and state in {"observed", "carried", "silent"}:
                state += "_apart"
            yield self._text(
                f"explain_indicator_{state}",
                indicator=self._text(f"indicator_{one.indicator}"),
                value=self.value(one),
                points=self._format.score(one.points),
                contribution=self._format.score(one.contribution.shown if one.contribution else None),
            )

    def value(self, one: IndicatorPart) -> str:
        """An indicator's value as its kind is written: a count, a difference or a rate."""
        f = self._format
        if one.value is None:
            return f.score(None)
        if one.indicator == "follower_growth":
            return f.signed(round(one.value))
        return f.count(round(one.value)) if one.indicator in _COUNTS else f.score(one.value)

    def experts(self) -> Iterator[str]:
        """The city's expert score with its spread, whether it counts, and what is said of the month's round."""
        part, f, method = self._given.experts, self._format, self._given.method
        rule = method["experts"]
        blanks = {
            "raters": f.count(part.raters),
            "mean": f.score(part.mean),
            "sd": f.score(part.sd),
            "low": f.plain(rule["scale"][0]),
            "high": f.plain(rule["scale"][1]),
            "qualitative": f.score(part.qualitative),
            "share": f.whole_percent(method["composite"]["qualitative"]),
            "points": f.score(part.contribution.shown if part.contribution else None),
            "age": f.count(part.carried),
        }
        counts = "counted" if part.contribution is not None else "withheld"
        if part.raters:
            yield self._text(f"explain_experts_{'one' if part.sd is None else 'rated'}", **blanks)
        else:
            yield self._text("explain_experts_none")
        if part.contribution is not None and part.carried:
            yield self._text("explain_experts_carried", **blanks)
        elif part.raters or part.contribution is not None:
            yield self._text(f"explain_experts_{counts}", **blanks)
        for flag in ("few_raters", "wide_spread"):
            if flag in part.flags:
                limits = {"needed": f.count(rule["raters"]), "limit": f.plain(rule["rerate_above_sd"])}
                yield self._text(f"explain_experts_{flag}", **limits)
        if part.round is not None:
            yield from map(Wording(f.language, self._names), expert_claims(part.round, rule))

    def change(self) -> Iterator[str]:
        """What moved score and rank since the month before, or why that cannot be said."""
        moved, f = self._given.movement, self._format
        if moved.score is None:
            yield self._text(f"explain_incomparable_{moved.incomparable}")
        else:
            now = moved.score
            kind = "same" if now.change.shown == 0 else "up" if now.change.shown > 0 else "down"
            yield self._text(
                f"explain_change_{kind}",
                before=f.score(now.before.shown),
                now=f.score(now.now.shown),
                change=f.signed_score(now.change.shown),
            )
            effects = {part.effect: part for part in now.effects}
            shown = {name: f.signed_score(effects[name].change.shown) for name in effects}
            measured = {name: shown.get(name, f.signed_score(0.0)) for name in ("performance", "weight")}
            if EXPERT in shown:
                yield self._text("explain_effects", **measured, expert=shown[EXPERT])
            else:
                yield self._text("explain_effects_measured", **measured)
            yield from (said for part in now.effects if (said := self.effect(part)))
            yield self._text("explain_change_basis")
        yield from self._rank()

    def effect(self, part: EffectPart) -> str | None:
        """The largest parts of an effect, and what all others make together; nothing where none makes a hundredth."""
        f = self._format
        named = [one for one in part.parts if one.change.shown and one.indicator != EXPERT][:PARTS_SHOWN]
        if not named or part.effect == EXPERT:
            return None
        left = [one.change.shown for one in part.parts if one not in named]
        rest = round(sum(left), 2)
        key = f"explain_parts_{part.effect}{'_rest' if rest else ''}"
        return self._text(key, parts=f.names([self.change_part(one) for one in named]), rest=f.signed_score(rest))

    def change_part(self, part: ChangePart) -> str:
        """A part of a change by its name."""
        kind = "weight" if part.indicator is None else "performance"
        return self._text(
            f"explain_part_{kind}",
            platform=self._source(part.platform),
            indicator="" if part.indicator is None else self._text(f"indicator_{part.indicator}"),
            change=self._format.signed_score(part.change.shown),
        )

    def _rank(self) -> Iterator[str]:
        moved, f, rank = self._given.movement, self._format, self._given.standing.rank
        if rank is None:
            return
        if moved.change.kind in {"up", "down", "same"}:
            yield self._text(
                f"explain_rank_{moved.change.kind}{'_common' if moved.apart else ''}",
                before=f.count(moved.previous_rank),
                now=f.count(rank),
                places=f.places(abs(moved.change.places or 0)),
            )
        else:
            yield self._text(f"explain_rank_{moved.change.kind}")
        if moved.reweighted is not None and moved.reweighted != rank:
            direction = "up" if moved.reweighted > rank else "down"
            yield self._text(
                f"explain_reweighted_{direction}",
                rank=f.count(moved.reweighted),
                places=f.places(abs(moved.reweighted - rank)),
            )

    def accounts(self) -> Iterator[str]:
        """Where a platform's points come from several accounts, how they are shared out."""
        for one in self._given.accounts:
            yield self._text(
                "explain_accounts",
                platform=self._text(f"platform_{one.platform}"),
                points=self._format.score(one.contribution.shown),
                count=self._format.count(len(one.accounts)),
                accounts=self._format.names([self._account(part) for part in one.accounts]),
            )

    def _account(self, part: AccountPart) -> str:
        points = self._format.score(part.contribution.shown)
        return self._text("explain_account", handle=part.handle, points=points)

    def post(self, best: BestPost) -> tuple[str, ...]:
        """A post's figures and points; then its words, and where it is."""
        words = best.post.text or self._text("no_text")
        return (self.post_line(best), words, *([best.post.link] if best.post.link else []))

    def post_line(self, best: BestPost) -> str:
        """A post in a sentence."""
        f, post = self._format, best.post
        return self._text(
            "explain_post_views" if best.by_views else "explain_post",
            platform=self._text(f"platform_{best.platform}"),
            handle=post.handle,
            day=self.day(best),
            kind=self.kind(best),
            interactions=f.count(post.interactions),
            views=f.count(post.views),
            points=f.score(best.points),
        )

    def day(self, best: BestPost) -> str:
        """The day a post was published, in the edition's zone."""
        return self._format.day(best.post.published_at.astimezone(ZoneInfo(self._given.zone)).date())

    def kind(self, best: BestPost) -> str:
        """What kind of post it is."""
        return self._text.or_code("kind", best.post.kind) if best.post.kind else self._text("explain_post_kind")

    def gaps(self, *, accounts: bool = True) -> list[str]:
        """What is not known of the city, in sentences; one that says so where all is known.

        Args:
            accounts: whether accounts and the platforms' words are told here, and not in a table beside it.
        """
        gaps, text, f = self._given.gaps, self._text, self._format
        said = []
        if gaps.no_account:
            said.append(text("explain_gap_no_account", platforms=f.names(self._platforms(gaps.no_account))))
        said += [text("gap_not_collected", platform=name) for name in self._platforms(gaps.not_collected)]
        for gap in gaps.accounts if accounts else ():
            said.append(
                text(
                    "explain_gap_account" if gap.detail is None else "explain_gap_account_detail",
                    platform=text(f"platform_{gap.platform}"),
                    handle=gap.handle,
                    outcome=text.or_code("outcome", gap.outcome),
                    detail=gap.detail,
                )
            )
        for part in gaps.indicators:
            names = f.names([text(f"indicator_{indicator}") for indicator in part.indicators])
            key = "gap_suspended" if part.state == "suspended" else f"explain_gap_{part.state}"
            said.append(text(key, platform=text(f"platform_{part.platform}"), indicators=names))
        for where, flag in gaps.flags:
            place = text("nav_composite") if where == COMPOSITE else text(f"platform_{where}")
            said.append(text("explain_gap_flag", where=place, meaning=text.or_code("flag", flag)))
        return said or ([] if gaps.accounts else [text("explain_gap_none")])

    def _platforms(self, codes: Sequence[str]) -> list[str]:
        return [self._text(f"platform_{code}") for code in codes]

    def _source(self, code: str) -> str:
        return self._text("explain_effect_expert" if code == EXPERT else f"platform_{code}")

    def _month(self) -> str:
        return self._format.month(self._given.month)
