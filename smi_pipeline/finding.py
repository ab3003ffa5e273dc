"""What `smi doctor` says of one thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One thing that was tried. `bad` makes the command fail; `note` is worth knowing. Both name their remedy."""

    subject: str
    verdict: Literal["ok", "note", "bad"]
    text: str
