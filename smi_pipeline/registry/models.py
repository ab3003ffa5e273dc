"""Who is measured: cities and their official accounts, each valid for a span of days.

A "city" is whatever an index ranks: for other data sets it may be an agency or a museum.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Literal, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    StringConstraints,
    model_validator,
)

Platform = Literal["facebook", "x", "instagram", "youtube", "tiktok"]
PLATFORMS: tuple[Platform, ...] = get_args(Platform)
FICTIONAL_PREFIX = "sbx_"  # handles of the sandbox's made-up accounts; nobody is asked about them elsewhere

# What an account's own id looks like on each platform. TikTok's research answers carry no id at all.
_PLATFORM_ID: dict[Platform, re.Pattern[str]] = {
    "facebook": re.compile(r"\d{5,20}"),
    "x": re.compile(r"\d{1,19}"),
    "instagram": re.compile(r"\d{17,18}"),
    "youtube": re.compile(r"UC[A-Za-z0-9_-]{22}"),
}
# X refuses a whole batch of a hundred accounts for one malformed name, so its form is held to the letter. Elsewhere a
# name the platform does not know costs one answer; refused are only characters that would change the request around it.
_HANDLE: dict[Platform, re.Pattern[str]] = dict.fromkeys(PLATFORMS, re.compile(r"[\w.\-· ]{1,75}")) | {
    "x": re.compile(r"[A-Za-z0-9_]{1,15}")
}

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Identifier = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[^\x00-\x1f/\\]{1,64}$")]


class _Valid(BaseModel):
    """Something that counts from one day on, and until another."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    valid_from: date = Field(default=date(1970, 1, 1), description="First valid day; since ever when not given.")
    valid_to: date | None = Field(default=None, description="First day no longer valid; null while it lasts.")

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.valid_to is not None and self.valid_to <= self.valid_from:
            raise ValueError(f"valid_to {self.valid_to} must come after valid_from {self.valid_from}")
        return self

    def is_valid(self, day: date) -> bool:
        """Whether `day` lies in [valid_from, valid_to)."""
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)


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
        given = str(values.get("account_id") or "").strip()
        account = handler({**values, "handle": handle, "account_id": given or handle})
        account._has_no_id = not given  # noqa: SLF001 - its own
        return account

    @model_validator(mode="after")
    def _handle_can_be_asked_for(self) -> Self:
        if not _HANDLE[self.platform].fullmatch(self.handle):
            expected = _HANDLE[self.platform].pattern
            raise ValueError(f"handle {self.handle!r} is not one {self.platform} could have (expected {expected})")
        return self

    @property
    def platform_account_id(self) -> str | None:
        """`account_id` where it was given and has the form of the platform's own id, else null."""
        form = None if self._has_no_id else _PLATFORM_ID.get(self.platform)
        return self.account_id if form is not None and form.fullmatch(self.account_id) else None
