"""An edition on disk: all of it, or the edition before."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from smi_pipeline.months import Month
from smi_pipeline.report import typeface
from smi_pipeline.report.cards import cards
from smi_pipeline.report.charts import charts
from smi_pipeline.report.city_pages import city_pages
from smi_pipeline.report.content import ReportContext
from smi_pipeline.report.fonts.cut import FAMILY
from smi_pipeline.report.formats import LANGUAGES
from smi_pipeline.report.pages import PAGES, page
from smi_pipeline.report.pdf import NAMES as PDFS
from smi_pipeline.report.pdf import pdf
from smi_pipeline.report.tables import changes_csv, excel_csv, rankings_csv, rankings_parquet
from smi_pipeline.report.workbook import NAMES as WORKBOOKS
from smi_pipeline.report.workbook import workbook


class EditionError(Exception):
    """The edition cannot be written, published or made again; what was there is untouched."""


def write_report(context: ReportContext, directory: Path) -> list[Path]:
    """Write the edition's files into `directory`, which is replaced whole; equal contexts give equal bytes.

    Returns:
        The files, in the order of the manifest, which comes last.

    Raises:
        EditionError: `directory` is a symbolic link or a file, or the place is not writable.
    """
    return write_files(contents(context), directory)


def write_files(files: Mapping[str, bytes], directory: Path) -> list[Path]:
    """Write files into `directory`, which is replaced whole.

    The files are made in a hidden directory beside it and take its place by renaming, so a reader never meets half an
    edition. Killed between the two renames the old edition is left in that hidden directory; the next call writes anew.

    Returns:
        The files, in the order they were given.

    Raises:
        EditionError: `directory` is a symbolic link or a file, or the place is not writable.
    """
    if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
        raise EditionError(f"{directory}: expected a directory or nothing, found a link or a file; remove it first")
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    except OSError as error:
        raise EditionError(f"{directory}: the edition cannot be written there: {error.strerror}") from error
    try:
        new = aside / "new"
        new.mkdir()
        for name, content in files.items():
            (new / name).parent.mkdir(exist_ok=True)
            (new / name).write_bytes(content)
        _swap(new, directory, aside / "old")
    except OSError as error:
        raise EditionError(f"{directory}: the edition was not written: {error.strerror}") from error
    finally:
        shutil.rmtree(aside)
    return [directory / name for name in files]


def contents(context: ReportContext) -> dict[str, bytes]:
    """Name and bytes of every file of the edition."""
    files = {name: page(context, language).encode() for language, name in PAGES.items()}
    for language in LANGUAGES:
        files[PDFS[language]] = pdf(context, language)
        files[WORKBOOKS[language]] = workbook(context, language)
        for index_name, card in cards(context, language).items():
            files[f"cards/{index_name}.{language}.svg"] = card.svg.encode()
            files[f"cards/{index_name}.{language}.png"] = card.png()
        for name, chart in charts(context, language).items():
            files[f"charts/{name}.{language}.svg"] = chart.svg().encode()
            files[f"charts/{name}.{language}.png"] = chart.png()
        files |= {name: text.encode() for name, text in city_pages(context, language).items()}
    files["rankings.csv"] = rankings_csv(context).encode()
    files["rankings.excel.csv"] = excel_csv(context)
    files["rankings.parquet"] = rankings_parquet(context)
    if context.revision is not None and not context.revision.withheld:
        files["changes.csv"] = changes_csv(context.revision, synthetic=context.synthetic).encode()
    files["report.json"] = _json(_plain(context, without=("profiles",)))
    files["manifest.json"] = _json(_manifest(context, files))
    return files


def _swap(new: Path, directory: Path, old: Path) -> None:
    if not directory.exists():
        new.rename(directory)
        return
    directory.rename(old)
    try:
        new.rename(directory)
    except OSError:
        old.rename(directory)
        raise


def _manifest(context: ReportContext, files: Mapping[str, bytes]) -> dict[str, Any]:
    return {
        "month": context.month.key,
        "status": context.status,
        "synthetic": context.synthetic,
        "snapshot": context.snapshot,
        "collections": [collection.collection_id for collection in context.collections],
        "versions": {
            "code": context.code_version,
            "method": context.method_version,
            **{
                name: version(name)
                for name in ("fonttools", "jinja2", "polars", "typst", "vl-convert-python", "xlsxwriter")
            },
        },
        "font": {"family": FAMILY, "sha256": typeface.sha256()},
        "undrawn": list(typeface.missing(files["report.json"].decode())),
        "files": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            for name, content in files.items()
        },
    }


def _json(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False) + "\n").encode()


def _plain(value: Any, *, without: Sequence[str] = ()) -> Any:
    """Dataclasses as objects, months as 2025-05, times in ISO 8601 UTC; numbers, texts and nulls as they are.

    `without` names fields that are left out of the outermost object.
    """
    if isinstance(value, Month):
        return value.key
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value) if field.name not in without]
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return value
