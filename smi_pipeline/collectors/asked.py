"""Which fields a platform is asked for, by `fields.toml`, less those it refuses.

Platforms retire metrics without a word, and one retired name then fails the whole request. A name that is refused is
left out for the rest of the run, and all others are still collected.
"""

from __future__ import annotations

import functools
import logging
import re
import tomllib
from collections.abc import Awaitable, Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from smi_pipeline.collectors.verdict import Refusal, Reply
from smi_pipeline.registry.models import PLATFORMS, Platform

log = logging.getLogger(__name__)
Kind = Literal["account", "post"]
_WORD = re.compile(r"[A-Za-z_]+")


class FieldSpec(BaseModel):
    """One line of fields.toml, which explains them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ask: str
    path: str
    essential: bool = False
    own: bool = False
    valid_from: date | None = None
    valid_to: date | None = None

    def is_offered(self, day: date) -> bool:
        """Whether anyone may ask for it on `day`."""
        since = self.valid_from is None or self.valid_from <= day
        return since and (self.valid_to is None or day < self.valid_to) and not self.own


class _Listed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    fields: list[FieldSpec]
    along: list[str]


@functools.cache
def field_specs(platform: Platform, kind: Kind) -> tuple[FieldSpec, ...]:
    """Every field that is known of a platform's accounts or posts, those that are not asked for included."""
    return tuple(_file()[platform][kind].fields)


@functools.cache
def known_paths(platform: Platform, kind: Kind) -> frozenset[str]:
    """Where a payload may have something: whatever else is there is new."""
    listed = _file()[platform][kind]
    return frozenset([*(spec.path for spec in listed.fields), *listed.along])


class Asked:
    """The names to ask for on a day, less those the platform has refused since."""

    def __init__(self, platform: Platform, kind: Kind, day: date) -> None:
        offered = [spec for spec in field_specs(platform, kind) if spec.is_offered(day)]
        self._platform = platform
        self._essential = {spec.ask for spec in offered if spec.essential}
        self.names = list(dict.fromkeys(spec.ask for spec in offered))
        self.refused: list[str] = []

    def __str__(self) -> str:
        return ",".join(self.names)

    def leave_out(self, named: Iterable[str]) -> bool:
        """Leave out what a refusal names; gives whether there was anything that can be left out."""
        refused = set(named)
        found = [name for name in self.names if name not in self._essential and refused & _ends(name)]
        for name in found:
            self.names.remove(name)
            self.refused.append(name)
            log.warning("%s does not offer %s any more: left out of this collection", self._platform, name)
        return bool(found)


async def without_refused(ask: Callable[[], Awaitable[Reply]], *asked: Asked) -> Reply:
    """Ask, and again without the fields that were refused by name.

    Raises:
        Refusal: of another kind, or it names nothing that can be left out.
    """
    while True:
        before = sum(len(some.refused) for some in asked)
        try:
            return await ask()
        except Refusal as refusal:
            if refusal.kind != "bad_field":
                raise
            # Requests on their way at the same time are refused for the same name: the first has left it out.
            if sum(len(some.refused) for some in asked) == before and not any(
                some.leave_out(refusal.named) for some in asked
            ):
                raise


def _ends(name: str) -> set[str]:
    """The words a refusal may call a field by: `attachments{media_type}` by either of its two."""
    words = _WORD.findall(name)
    return {words[0], words[-1]}


@functools.cache
def _file() -> dict[Platform, dict[Kind, _Listed]]:
    text = (Path(__file__).parent / "fields.toml").read_text(encoding="utf-8")
    read = tomllib.loads(text)
    kinds: tuple[Kind, ...] = ("account", "post")
    return {platform: {kind: _Listed.model_validate(read[platform][kind]) for kind in kinds} for platform in PLATFORMS}
