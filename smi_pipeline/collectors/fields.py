"""From a platform's JSON to rows: what each field may hold, and what becomes of a value it may not.

A record model has one field a column, named as the column, and finds it in the record by an alias path. A value that is
not what its field holds becomes a `Bad`, never a guess: "12K" is no number, true is no count, 1e3 is not an integer.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, NamedTuple, TypeVar

import msgspec
from pydantic import BaseModel, ConfigDict, PlainValidator, StringConstraints, TypeAdapter, ValidationError

from smi_pipeline.collectors.verdict import FIRST_YEAR, YEAR_LIMIT, Refusal, part

COUNT_LIMIT = 2**63
_POST_ID = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
_AS_SENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:?[0-9]{2})")
_DIGITS = re.compile(r"[0-9]{1,19}")
_ENCODER = msgspec.json.Encoder()  # a sixth of the standard library's time, and integers of any length
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Bad:
    """A value that is not what its field holds. Shown among the rejected, never stored in the column."""

    value: Any

    def __hash__(self) -> int:
        return hash(repr(self.value))  # what a platform sends in place of an id may be a list or an object


class Moment(NamedTuple):
    """The instant a platform means (for the window), and how it is stored (the column): staging reads the same there.

    Stored is what the platform wrote; of the forms of ISO 8601 that SQL does not read, the instant in UTC.
    """

    raw: str | int
    instant: datetime


def read_count(value: Any) -> int | Bad | None:
    """An integer from 0 up to 2^63, or not reported."""
    if value is None or (type(value) is int and 0 <= value < COUNT_LIMIT):  # type(): true is an int
        return value
    return Bad(value)


def read_digits(value: Any) -> str | Bad | None:
    """A count written in digits, kept as sent; an integer is taken for its digits."""
    if value is None:
        return None
    digits = str(value) if type(value) is int else value
    if isinstance(digits, str) and _DIGITS.fullmatch(digits) and int(digits) < COUNT_LIMIT:
        return digits
    return Bad(value)


def read_number(value: Any) -> int | Bad | None:
    """A count written in digits, as a number."""
    digits = read_digits(value)
    return int(digits) if isinstance(digits, str) else digits


def read_id(value: Any) -> str | Bad:
    """A post's id as text."""
    return value if isinstance(value, str) and _POST_ID.fullmatch(value) else Bad(value)


def read_big_id(value: Any) -> int | Bad:
    """A post's id as an exact integer, in digits as well; a float that passed through here would name another post."""
    number = int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value
    return number if type(number) is int and 0 < number < COUNT_LIMIT else Bad(value)


def read_time(value: Any) -> Moment | Bad:
    """An ISO 8601 time with its offset: `Z`, `.000Z` and `+0000` alike; stored so that nobody reads it otherwise."""
    if isinstance(value, str) and len(value) <= 40:  # noqa: PLR2004 - longer than any time is written
        try:
            instant = datetime.fromisoformat(value)
        except ValueError:
            return Bad(value)
        if instant.tzinfo is not None and FIRST_YEAR <= instant.year < YEAR_LIMIT:
            instant = instant.astimezone(UTC)
            return Moment(value if _AS_SENT.fullmatch(value) else f"{instant:%Y-%m-%dT%H:%M:%S.%fZ}", instant)
    return Bad(value)


def read_epoch(value: Any) -> Moment | Bad:
    """Seconds since 1970. Milliseconds would be a year beyond any platform's life, and are refused as such."""
    if type(value) is int and 0 < value < 2**33:
        instant = datetime.fromtimestamp(value, UTC)
        if FIRST_YEAR <= instant.year < YEAR_LIMIT:
            return Moment(value, instant)
    return Bad(value)


def read_text(value: Any) -> str | None:
    """Text as sent; anything else as its JSON, so that nothing is lost."""
    return value if value is None or isinstance(value, str) else compact(value)


def read_flag(value: Any) -> bool | None:
    """True or false as said; anything else is not an answer."""
    return value if isinstance(value, bool) else None


def read_texts(value: Any) -> list[str] | None:
    """A list of texts, null where there is none."""
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else None


# Of an account. It becomes part of an address, so a form that could lead elsewhere is drift.
AccountId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Count = Annotated[int | Bad | None, PlainValidator(read_count)]
Digits = Annotated[str | Bad | None, PlainValidator(read_digits)]
Number = Annotated[int | Bad | None, PlainValidator(read_number)]
PostId = Annotated[str | Bad, PlainValidator(read_id)]
BigId = Annotated[int | Bad, PlainValidator(read_big_id)]
Time = Annotated[Moment | Bad, PlainValidator(read_time)]
Epoch = Annotated[Moment | Bad, PlainValidator(read_epoch)]
Text = Annotated[str | None, PlainValidator(read_text)]
Flag = Annotated[bool | None, PlainValidator(read_flag)]
Texts = Annotated[list[str] | None, PlainValidator(read_texts)]


class Record(BaseModel):
    """One record of a platform: a field a column. Unknown keys are allowed: they stay in the payload."""

    model_config = ConfigDict(frozen=True, extra="ignore", arbitrary_types_allowed=True)


class PostRecord(Record):
    """One post. Its id and its time must be there; everything else may be absent."""

    id_field: ClassVar[str] = "id"
    time_field: ClassVar[str]


V = TypeVar("V")


def read(adapter: TypeAdapter[V], value: Any, what: str) -> V:
    """Validate a record, or a page of records at once.

    Raises:
        Refusal: drift. A required key is absent or the shape is another: the platform's contract has changed, and
            whatever could still be read would be half of it.
    """
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        steps = first["loc"]
        where = ".".join(str(step) for step in steps) or "the answer"
        record = part(value, steps[0]) if isinstance(value, list) and steps else value
        text = compact(record)
        digest = hashlib.sha256(text.encode()).hexdigest()
        said = f"drift in {what}: {where}: {first['msg'].lower()} (payload sha256 {digest})"
        raise Refusal("failed", said, drifted=(where, text)) from None


def compact(record: Any) -> str:
    """A record as JSON text, integers digit by digit as sent, fit to be stored."""
    try:
        return _ENCODER.encode(record).decode()
    except UnicodeEncodeError:  # half a surrogate pair, which no text can hold
        return _SURROGATE.sub("\ufffd", json.dumps(record, ensure_ascii=False, separators=(",", ":")))
