"""Numbers, dates and lists as each language writes them: fixed rules, no locale, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo

from smi_pipeline.months import Month

Language = Literal["zh", "en"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)

NOTHING: Final = "—"
MINUS: Final = "\u2212"
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_DIGITS: Final = "零一二三四五六七八九"
_WORDS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_ENGLISH_TEENS: Final = (11, 12, 13)
_LARGEST_NUMERAL: Final = 99
_TWO: Final = 2
# What is counted inside a sentence: the Chinese measure word, the English singular and plural.
_THINGS: Final[Mapping[str, tuple[str, str, str]]] = {
    "interaction": ("次", "interaction", "interactions"),
    "view": ("次", "video view", "video views"),
    "account": ("个", "account", "accounts"),
    "city": ("个", "city", "cities"),
    "indicator": ("项", "indicator", "indicators"),
    "rater": ("名", "rater", "raters"),
}
# (from, unit, word, decimals): what rounds up to a larger unit is said in that one.
_UNITS: Final[Mapping[Language, tuple[tuple[int, int, str, int], ...]]] = {
    "zh": ((99_995_000, 100_000_000, "亿", 2), (10_000, 10_000, "万", 2)),
    "en": ((999_950, 1_000_000, " million", 1), (10_000, 1_000, " thousand", 1)),
}


def rounded(value: float, decimals: int) -> Decimal:
    """Half up, on the shortest decimal form: what a reader of rankings.csv gets by hand (1234.565 -> 1234.57)."""
    return Decimal(repr(value)).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)


def apportioned(parts: Sequence[float], whole: Decimal) -> list[Decimal]:
    """The parts to two decimals, so that the printed ones add up to the printed whole.

    Each is rounded half up; what is then over or short of the whole goes, a hundredth each, to those whose rounding
    went farthest the other way. A part of nothing stays nothing.
    """
    shown = [rounded(part, 2) for part in parts]
    left = int((whole - sum(shown, Decimal(0))).scaleb(2))
    step = 1 if left > 0 else -1
    kept = [place for place, part in enumerate(parts) if part]
    kept.sort(key=lambda place: (step * (shown[place] - Decimal(repr(parts[place]))), place))
    for place in (kept * (abs(left) // len(kept) + 1))[: abs(left)] if kept else ():
        shown[place] += Decimal(step).scaleb(-2)
    return shown


def _trimmed(number: Decimal) -> str:
    text = f"{number:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def chinese_numeral(number: int) -> str:
    """1..99 as written in a sentence (十二); anything else in digits."""
    if not 1 <= number <= _LARGEST_NUMERAL:
        return str(number)
    tens, ones = divmod(number, 10)
    return ("" if tens == 0 else "十" if tens == 1 else f"{_DIGITS[tens]}十") + (_DIGITS[ones] if ones else "")


@dataclass(frozen=True)
class Formats:
    """One language's way of writing values. Null is always written as a dash: not reported is not zero."""

    language: Language

    def score(self, value: float | None) -> str:
        """Scores and rates: two decimals, thousands separated."""
        return NOTHING if value is None else f"{rounded(value, 2):,f}".replace("-", MINUS)

    def count(self, value: int | None) -> str:
        """Whole numbers, thousands separated."""
        return NOTHING if value is None else f"{value:,d}".replace("-", MINUS)

    def spoken(self, value: int | None) -> str:
        """A number inside a sentence, as its language says large ones: 35.78万, 1.2亿; 357.8 thousand, 1.2 million."""
        if value is None:
            return NOTHING
        for from_, unit, word, decimals in _UNITS[self.language]:
            if value >= from_:
                return f"{_trimmed(rounded(value / unit, decimals))}{word}"
        return self.count(value)

    def counted(self, value: int | None, thing: str) -> str:
        """A number of things inside a sentence: 35.78万次; 357.8 thousand interactions, 1 interaction."""
        measure, one, many = _THINGS[thing]
        if self.language == "zh":
            return f"{self.spoken(value)}{measure}"
        return f"{self.spoken(value)} {one if value == 1 else many}"

    def rate(self, value: float | None) -> str:
        """A rate inside a sentence: two decimals at most, 3,225.84 or 336."""
        return NOTHING if value is None else _trimmed(rounded(value, 2)).replace("-", MINUS)

    def signed(self, value: int | None) -> str:
        """A difference: +1,200, −35 or 0."""
        return NOTHING if value is None else f"{value:+,d}".replace("-", MINUS) if value else "0"

    def signed_score(self, value: float | None) -> str:
        """A difference of scores: +1.20, −0.35 or 0.00."""
        if value is None:
            return NOTHING
        shown = rounded(value, 2)
        return f"{shown:+,f}".replace("-", MINUS) if shown else "0.00"

    def interval(self, value: tuple[float, float] | None) -> str:
        """A range of ranks: 3–5, or 3 where both ends are the same."""
        if value is None:
            return NOTHING
        low, high = (_trimmed(rounded(end, 1)) for end in value)
        return low if low == high else f"{low}–{high}"

    def percent(self, value: float | None) -> str:
        """A share of one, with one decimal."""
        return NOTHING if value is None else f"{rounded(value * 100, 1):f}%".replace("-", MINUS)

    def reached(self, value: float | None) -> str:
        """A figure held to a least value: three decimals, cut: 0.6669 must not read as the 0.667 it misses."""
        if value is None:
            return NOTHING
        return f"{Decimal(repr(value)).quantize(Decimal('0.001'), ROUND_FLOOR):f}".replace("-", MINUS)

    def percent_reached(self, value: float) -> str:
        """A share of one that is held to a least share: one decimal, cut likewise."""
        return f"{(100 * Decimal(repr(value))).quantize(Decimal('0.1'), ROUND_FLOOR):f}%"

    def whole_percent(self, value: float) -> str:
        """A share of one that is a rule (30%), without decimals where it has none."""
        return f"{rounded(value * 100, 4).normalize():f}%"

    def plain(self, value: float | None) -> str:
        """An input as its file states it: grouped, no digits added or lost."""
        return NOTHING if value is None else f"{Decimal(repr(value)).normalize():,f}".replace("-", MINUS)

    def day(self, value: date) -> str:
        """2025年6月10日; 10 June 2025."""
        if self.language == "zh":
            return f"{value.year}年{value.month}月{value.day}日"
        return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"

    def month(self, value: Month) -> str:
        """2025年5月; May 2025."""
        first = value.first
        return f"{first.year}年{first.month}月" if self.language == "zh" else f"{_MONTHS[first.month - 1]} {first.year}"

    def days(self, value: Month) -> str:
        """A whole month by its days: 2025年5月1日—31日; 1–31 May 2025."""
        last = value.last.day
        return f"{self.day(value.first)}—{last}日" if self.language == "zh" else f"1–{last} {self.month(value)}"

    def moment(self, value: datetime, zone: ZoneInfo) -> str:
        """Day and minute in `zone`."""
        local = value.astimezone(zone)
        return f"{self.day(local.date())} {local.hour:02d}:{local.minute:02d}"

    def names(self, values: Sequence[str]) -> str:
        """A list inside a sentence: 甲、乙、丙; A, B and C."""
        if self.language == "zh":
            return "、".join(values)
        return " and ".join(part for part in (", ".join(values[:-1]), values[-1] if values else "") if part)

    def ordinal(self, number: int) -> str:
        """A rank inside a sentence: 第三; 3rd."""
        if self.language == "zh":
            return f"第{chinese_numeral(number)}"
        ending = "th" if number % 100 in _ENGLISH_TEENS else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
        return f"{number}{ending}"

    def numeral(self, number: int) -> str:
        """A small number inside a sentence: 十; ten."""
        if self.language == "zh":
            return chinese_numeral(number)
        return _WORDS[number] if number < len(_WORDS) else str(number)

    def places(self, number: int) -> str:
        """A distance between two ranks inside a sentence: 五位, 两位 (never 二位); 5 places."""
        if self.language == "zh":
            return "两位" if number == _TWO else f"{chinese_numeral(number)}位"
        return f"{number} place" if number == 1 else f"{number} places"
