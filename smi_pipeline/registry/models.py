"""Who is measured: cities and their official accounts, each valid for a span of days.

A "city" is whatever an index ranks: for other data sets it may be an agency or a museum.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from typing import Annotated, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from smi_pipeline.months import parse_day

Platform = Literal["facebook", "x", "instagram", "youtube", "tiktok"]
PLATFORMS: tuple[Platform, ...] = get_args(Platform)
FICTIONAL_PREFIX = "sbx_"  # handles of the sandbox's made-up accounts; nobody is asked about them elsewhere

# What an account's own id looks like on each platform. TikTok's research answers carry no id at all.
_PLATFORM_ID: dict[Platform, re.Pattern[str]] = {
    "facebook": re.compile(r"[0-9]{5,20}"),
    "x": re.compile(r"[0-9]{1,19}"),
    "instagram": re.compile(r"[0-9]{17,18}"),
    "youtube": re.compile(r"UC[A-Za-z0-9_-]{22}"),
}
_DIGITS = re.compile(r"[0-9]{1,20}")
# X refuses a whole batch of a hundred accounts for one malformed name, so its form is held to the letter. Elsewhere a
# name the platform does not know costs one answer; refused are only characters that would change the request around it.
_HANDLE: dict[Platform, re.Pattern[str]] = dict.fromkeys(PLATFORMS, re.compile(r"[\w.\-· ]{1,75}")) | {
    "x": re.compile(r"[A-Za-z0-9_]{1,15}")
}

# A number as people and spreadsheets write it: 178414, '178414, 1.78414E+16, 100064800000001.0, 1,234.
_NUMBER = re.compile(r"['+-]?[0-9][0-9.,' ]*(E[+-]?[0-9]+)?", re.IGNORECASE)
_KEPT_DIGITS = 15  # of a number in a spreadsheet
# What no file may be called on one system or another: devices, whatever their ending, and these characters; `#`, `?`
# and `%` mean something else in a link.
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_NO_FILE_NAME = '<>:"/\\|?*%#'
_LONGEST_NAME = 200  # bytes of UTF-8: a file name has 255, with its language and ending


def _usable_as_a_file_name(text: str) -> str:
    if found := [character for character in text if character in _NO_FILE_NAME or not character.isprintable()]:
        raise ValueError(f"expected a key that can name a file, without {found[0]!r}")
    if text.endswith(".") or _DEVICE.fullmatch(text) or len(text.encode()) > _LONGEST_NAME:
        raise ValueError("expected a key that can name a file")
    return text


def _written_plainly(text: str) -> str:
    """Full-width letters and digits, as an input method types them, are others than everybody else's."""
    plain = unicodedata.normalize("NFKC", text)
    if plain != text:
        raise ValueError(f"expected {plain!r}, in plain letters and digits")
    return text


def _written_as_a_day(value: object) -> object:
    """Pydantic alone takes 86400 for the second of January 1970."""
    return parse_day(value.strip()) if isinstance(value, str) else value


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Identifier = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=64),
    AfterValidator(_written_plainly),
    AfterValidator(_usable_as_a_file_name),
]
Day = Annotated[date, BeforeValidator(_written_as_a_day)]


def handle_key(platform: Platform, handle: str) -> str:
    """A handle as its platform compares it: capitals make no other one, nor do dots on Facebook."""
    name = handle.casefold()
    return name.replace(".", "") if platform == "facebook" else name


def platform_id(platform: Platform, text: str) -> str | None:
    """The text where it has the form of the platform's own ids, else null."""
    form = _PLATFORM_ID.get(platform)
    return text if form is not None and form.fullmatch(text) else None


class _Valid(BaseModel):
    """Something that counts from one day on, and until another."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    valid_from: Day = Field(default=date(1970, 1, 1), description="First valid day; since ever when not given.")
    valid_to: Day | None = Field(default=None, description="First day no longer valid; null while it lasts.")

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.valid_to is not None and self.valid_to <= self.valid_from:
            raise ValueError(f"valid_to {self.valid_to} must come after valid_from {self.valid_from}")
        return self

    def is_valid(self, day: date) -> bool:
        """Whether `day` lies in [valid_from, valid_to)."""
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)

    def overlaps(self, other: Self) -> bool:
        """Whether both are valid on some day."""
        ends_later = self.valid_to is None or self.valid_to > other.valid_from
        return ends_later and (other.valid_to is None or other.valid_to > self.valid_from)


class City(_Valid):
    """One ranked entity. `city_id` is its lasting key: the six-digit GB/T 2260 code for Chinese cities."""

    city_id: Identifier
    name_zh: Text
    name_en: Text
    province: str = ""


class Account(_Valid):
    """One official account of a city on one platform.

    `account_id` is this registry's key for it and appears in every table: best the platform's own id, which survives
    a change of handle; the handle when the cell is empty.
    """

    city_id: Identifier
    platform: Platform
    handle: Text
    account_id: Text
    role: str = "main"
    in_index: bool = True

    _has_no_id: bool = PrivateAttr(default=False)  # the cell was empty: the handle is the key, and no platform's id

    @model_validator(mode="wrap")
    @classmethod
    def _handle_stands_in_for_a_missing_id(cls, values: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(values, dict):
            return handler(values)
        handle = str(values.get("handle") or "").strip().removeprefix("@")
        stand_in = unicodedata.normalize("NFKC", handle)  # what is wrong with a handle is said of the handle alone
        given = values.get("account_id") or ""
        given = given if str(given).strip() else ""
        account = handler({**values, "handle": handle, "account_id": given or stand_in})
        account._has_no_id = not given  # noqa: SLF001 - its own
        return account

    @field_validator("handle", "account_id")
    @classmethod
    def _is_written_plainly(cls, text: str) -> str:
        if not _written_plainly(text).isprintable():
            raise ValueError("expected no invisible characters")
        return text

    @field_validator("handle")
    @classmethod
    def _handle_can_be_asked_for(cls, handle: str, info: ValidationInfo) -> str:
        form = _HANDLE.get(info.data.get("platform", ""))
        if form is not None and not form.fullmatch(handle):
            raise ValueError(f"no handle that {info.data['platform']} could have (expected {form.pattern})")
        return handle

    @field_validator("account_id")
    @classmethod
    def _number_is_an_id(cls, account_id: str, info: ValidationInfo) -> str:
        """A number is as somebody wrote it: a spreadsheet keeps 15 digits, and writes 1.78414E+16.

        Other keys of digits alone are taken: data sets have ids of other services, and numbers of their own.
        """
        platform = info.data.get("platform")
        if platform is None or account_id == info.data.get("handle") or not _NUMBER.fullmatch(account_id):
            return account_id
        form = _PLATFORM_ID.get(platform, _DIGITS)
        rounded = len(account_id) > _KEPT_DIGITS and not account_id[_KEPT_DIGITS:].strip("0")
        if not form.fullmatch(account_id) and (rounded or not _DIGITS.fullmatch(account_id)):
            raise ValueError(
                f"a number that is no id of {platform} (expected {form.pattern}; kept as text, not rounded)"
            )
        return account_id

    @property
    def platform_account_id(self) -> str | None:
        """`account_id` where it was given and has the form of the platform's own id, else null."""
        return None if self._has_no_id else platform_id(self.platform, self.account_id)
