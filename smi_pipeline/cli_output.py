"""What goes to a terminal or a pipe, whatever encoding it has."""

from __future__ import annotations

import codecs
import io
import json
import sys


def replace_what_cannot_be_shown() -> None:
    """Have standard output and error print `?` (error: an escape) for characters that their encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors != "backslashreplace":
            stream.reconfigure(errors="replace")


def print_json(value: object) -> None:
    """A value as JSON on standard output; where that is not UTF-8, as ASCII with escapes, so that nothing is lost."""
    escaped = codecs.lookup(sys.stdout.encoding or "ascii").name != "utf-8"
    sys.stdout.write(json.dumps(value, ensure_ascii=escaped, indent=1, default=str) + "\n")
