"""The edition as a PDF for print, set by Typst with the packaged fonts alone.

What is set comes as JSON and is only ever shown as text: no word of a stranger's is read as Typst. The date in the file
is the edition's own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Final

import typst

from smi_pipeline.report import typeface
from smi_pipeline.report.content import ReportContext
from smi_pipeline.report.document import document
from smi_pipeline.report.fonts.cut import FAMILY
from smi_pipeline.report.formats import Language
from smi_pipeline.report.palette import LIGHT

NAMES: Final[Mapping[Language, str]] = {"zh": "report.pdf", "en": "report.en.pdf"}


def pdf(context: ReportContext, language: Language) -> bytes:
    """The edition in one language on A4; equal contexts give equal bytes.

    Raises:
        PdfError: Typst does not accept the packaged template: a mistake of ours, not of the data.
    """
    dated = context.dated
    given: dict[str, Any] = {
        **document(context, language),
        "colours": dict(LIGHT),
        "family": FAMILY,
        "dated": [dated.year, dated.month, dated.day, dated.hour, dated.minute, dated.second],
    }
    try:
        made = typst.Compiler(input=_template(), font_paths=_fonts()).compile(
            format="pdf",
            sys_inputs={"data": json.dumps(given, ensure_ascii=False, allow_nan=False)},
            timestamp=int(dated.timestamp()),
        )
    except typst.TypstError as error:
        raise PdfError(f"templates/report.typ: {error.diagnostic}") from error
    if not isinstance(made, bytes):
        raise PdfError(f"templates/report.typ: expected one PDF, got {type(made).__name__}")
    return made


class PdfError(Exception):
    """The PDF cannot be set."""


@cache
def _fonts() -> typst.Fonts:
    """The packaged fonts: neither the host's nor those Typst brings along."""
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(typeface.FOLDER)])


@cache
def _template() -> bytes:
    return (resources.files("smi_pipeline.report") / "templates" / "report.typ").read_bytes()
