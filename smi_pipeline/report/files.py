"""An edition on disk: all of it, or the edition before."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from smi_pipeline.months import Month
from smi_pipeline.report import typeface
from smi_pipeline.report.cards import cards
from smi_pipeline.report.content import ReportContext, Revision
from smi_pipeline.report.fonts.cut import FAMILY
from smi_pipeline.report.formats import LANGUAGES
from smi_pipeline.report.pages import PAGES, page

FLAG_SEPARATOR: Final = "|"


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
        for index_name, card in cards(context, language).items():
            files[f"cards/{index_name}.{language}.svg"] = card.svg.encode()
            files[f"cards/{index_name}.{language}.png"] = card.png()
    files["rankings.csv"] = rankings_csv(context).encode()
    if context.revision is not None and not context.revision.withheld:
        files["changes.csv"] = changes_csv(context.revision, synthetic=context.synthetic).encode()
    files["report.json"] = _json(_plain(context))
    files["manifest.json"] = _json(_manifest(context, files))
    return files


def rankings_csv(context: ReportContext) -> str:
    """marts.rankings for machines: RFC 4180, UTF-8, floats in full, a null as nothing, flags joined by `|`.

    A last column says whether the data are made up. Values are untouched: a name that begins with `=` stays as it is,
    so open it as data, not by double click.
    """
    names = [*context.rankings[0], "synthetic"] if context.rankings else ["synthetic"]
    return _csv(names, [(*row.values(), context.synthetic) for row in context.rankings])


def changes_csv(revision: Revision, *, synthetic: bool) -> str:
    """A row for each city whose rank or score in an index is not what the edition before said; written likewise."""
    names = ["index_name", "city_id", "name_zh", "name_en"]
    figures = ["rank_before", "rank", "score_before", "score"]
    rows = [
        (
            *(one.index_name, one.city.city_id, one.city.name_zh, one.city.name_en),
            *(getattr(one, figure) for figure in figures),
            synthetic,
        )
        for one in revision.moved
    ]
    return _csv([*names, *figures, "synthetic"], rows)


def _csv(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    return FLAG_SEPARATOR.join(value) if isinstance(value, list) else value


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
            **{name: version(name) for name in ("fonttools", "jinja2", "vl-convert-python")},
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


def _plain(value: Any) -> Any:
    """Dataclasses as objects, months as 2025-05, times in ISO 8601 UTC; numbers, texts and nulls as they are."""
    if isinstance(value, Month):
        return value.key
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return value
