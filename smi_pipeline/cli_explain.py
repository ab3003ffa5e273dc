"""`smi explain`: why one city has its rank, on the terminal and as a page of its own."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer
from rich.console import Console

from smi_pipeline.cli_arguments import existing_lake
from smi_pipeline.cli_arguments import month as parse_month
from smi_pipeline.settings import settings

out, err = Console(highlight=False), Console(stderr=True, highlight=False)


def explain(
    month: Annotated[str, typer.Argument(metavar="MONTH", help="A month as YYYY-MM.")],
    city: Annotated[str, typer.Argument(metavar="CITY", help="Its id, or its Chinese or English name.")],
    lang: Annotated[Literal["zh", "en", "both"], typer.Option(help="In which language.")] = "zh",
    page: Annotated[bool, typer.Option("--page", help="Also write it as a page in both languages.")] = False,
) -> None:
    """Why a city has its rank: its parts, its interval, what moved it, its best posts, its gaps."""
    one = parse_month(month)
    lake = existing_lake()

    from smi_pipeline.defs.explanation import explanation_input  # noqa: PLC0415
    from smi_pipeline.report.explanation import UnknownCityError, explain  # noqa: PLC0415
    from smi_pipeline.report.explanation_page import write_explanation  # noqa: PLC0415
    from smi_pipeline.report.explanation_text import explanation_text  # noqa: PLC0415
    from smi_pipeline.report.files import EditionError  # noqa: PLC0415
    from smi_pipeline.report.formats import LANGUAGES  # noqa: PLC0415

    try:
        explanation = explain(explanation_input(lake, one, settings(), city))
        languages = LANGUAGES if lang == "both" else (lang,)
        sys.stdout.write("\n".join(explanation_text(explanation, language) for language in languages))
        for path in write_explanation(explanation, lake.path / "explained" / one.key) if page else ():
            out.print(f"page: {path}", markup=False, soft_wrap=True)
    except (UnknownCityError, EditionError) as error:
        err.print(str(error), markup=False, soft_wrap=True)
        raise typer.Exit(1) from None
