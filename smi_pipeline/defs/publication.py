"""Drafts and editions: what is derived becomes a draft, a draft becomes an edition, an edition can be made again.

A month that was never published has its draft in `<lake>/reports/<month>/`. Every edition is kept in
`<lake>/reports/editions/<month>/<number>/` for good, the newest also in `<lake>/reports/<month>/`; what a published
month derives to afterwards is a draft in `<lake>/drafts/<month>/`. The record in the lake decides what is published: a
folder without its record is one that was being written.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from smi_pipeline.defs.edition import derived
from smi_pipeline.defs.inputs import Inputs
from smi_pipeline.defs.rebuild import again, checksums, differences, rendered
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.editions import Edition, draft, lock_name, published, record, row_of
from smi_pipeline.months import Month
from smi_pipeline.report.archive import RECORD, write_archive
from smi_pipeline.report.files import EditionError, write_files
from smi_pipeline.report.places import current, drafts, kept
from smi_pipeline.settings import Publish


@dataclass(frozen=True)
class Written:
    """Where a month's derived report is, and as what.

    Attributes:
        folder: where its files are.
        draft: of which edition it is the draft; null where it is the newest published edition itself.
        published: the number of that; null where there is none.
        files: their sizes in bytes.
    """

    folder: Path
    draft: int | None
    published: int | None
    files: Mapping[str, int]

    def __str__(self) -> str:
        if self.published is None:
            return f"draft of edition {self.draft}, not published"
        if self.draft is None:
            return f"edition {self.published}, published"
        return f"draft of edition {self.draft}; edition {self.published} is published and stays as it is"


def write_month(lake: Lake, month: Month, inputs: Inputs, publication: Publish) -> Written:
    """Write what a month is derived to, and publish it where the setting does so without a person.

    That is a first edition (of any status, or a final one), and the final edition after a provisional one; never one
    for which a reason is to be given.

    Raises:
        LakeError: the month is not derived yet.
        EditionError: the files cannot be written, or the draft cannot be published.
    """
    written = write_draft(lake, month, inputs)
    if publication == "by_hand" or written.draft is None:
        return written
    with lake.read() as cursor:
        newest, found = published(cursor, month.first), draft(cursor, month.first)
    first = newest is None and found is not None and (publication == "provisional" or found.basis.status == "final")
    if first or (newest is not None and found is not None and _succeeds(found, newest)):
        edition = publish(lake, month)
        return replace(written, folder=current(lake.path, month), draft=None, published=edition.number)
    return written


def write_draft(lake: Lake, month: Month, inputs: Inputs) -> Written:
    """Write what a month is derived to; a published edition's files stay as they are.

    Raises:
        LakeError: the month is not derived yet.
        EditionError: the files cannot be written.
    """
    now = derived(lake, month, inputs)
    with lake.lock(lock_name(month.first)):
        with lake.read() as cursor:
            newest, found = published(cursor, month.first), draft(cursor, month.first)
        if newest is not None and newest.tables == now.tables:
            files = rendered(lake, now, newest)
            if checksums(files) == newest.files:
                for folder in (kept(lake.path, month, newest.number), current(lake.path, month)):
                    _put(_with_record(newest, files), folder)
                if found is not None:
                    record(lake, replace(found, state="dropped", recorded_at=datetime.now(UTC)))
                shutil.rmtree(drafts(lake.path, month), ignore_errors=True)
                return _written(current(lake.path, month), None, newest, files)
        edition = Edition(
            month=month.first,
            number=1 if newest is None else newest.number + 1,
            state="draft",
            basis=now.basis,
            tables_snapshot=now.tables_snapshot,
            tables=now.tables,
            files={},
            recorded_at=datetime.now(UTC),
        )
        files = rendered(lake, now, edition)
        folder = current(lake.path, month)
        if newest is not None:
            _restore(lake, newest)
            folder = drafts(lake.path, month)
        write_files(files, folder)
        record(lake, replace(edition, files=checksums(files)))
    return _written(folder, edition.number, newest, files)


def publish(lake: Lake, month: Month, *, reason: str | None = None) -> Edition:
    """Freeze the month's draft as an edition, after making it again from its snapshot: what cannot be is refused.

    Args:
        lake: the lake.
        month: the month.
        reason: why the month is published again; null for a first edition, and for a final one after a provisional.

    Raises:
        EditionError: there is no draft; the month is published and no reason is given, or the reverse; or the draft is
            not what its snapshot gives.
    """
    given = None if reason is None else " ".join(reason.split())
    with lake.lock(lock_name(month.first)):
        with lake.read() as cursor:
            newest, found = published(cursor, month.first), draft(cursor, month.first)
        if found is None:
            raise EditionError(_nothing_to_publish(month, newest))
        _refuse(month, newest, found, given)
        now = again(lake, found)
        files = rendered(lake, now, found)
        if differing := (*differences(found.tables, now.tables), *differences(found.files, checksums(files))):
            raise EditionError(
                f"the draft of {month} is not what its inputs give ({', '.join(differing)}): other months were"
                f" derived or the software changed since; run `smi run {month}` and look at the draft again"
            )
        edition = replace(found, state="published", reason=given, recorded_at=datetime.now(UTC))
        if edition.number > 1:  # one that follows another says that it is published, and why
            files = rendered(lake, now, edition)
        edition = replace(edition, files=checksums(files))
        _put(_with_record(edition, files), kept(lake.path, month, edition.number))
        record(lake, edition)
        _put(_with_record(edition, files), current(lake.path, month))
        shutil.rmtree(drafts(lake.path, month), ignore_errors=True)
    with lake.lock("archive"):
        write_archive(lake.path / "reports")
    return edition


def _with_record(edition: Edition, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files of an edition and, beside them, what the lake has recorded of it."""
    told = row_of(edition) | {"month": f"{edition.month:%Y-%m}"}
    told["published_at"] = told.pop("recorded_at").isoformat()
    del told["entry"]
    return {**files, RECORD: (json.dumps(told, ensure_ascii=False, sort_keys=True, indent=1) + "\n").encode()}


def _put(files: Mapping[str, bytes], folder: Path) -> None:
    """Make these the files of a folder, unless they are."""
    if _held(folder) != files:
        write_files(files, folder)


def _held(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def _restore(lake: Lake, edition: Edition) -> None:
    """Put the newest edition where it belongs, should the command that published it have been killed before that."""
    month = Month(edition.month)
    files = {name: content for name, content in _held(kept(lake.path, month, edition.number)).items() if name != RECORD}
    if checksums(files) == edition.files:
        _put(_with_record(edition, files), current(lake.path, month))


def _nothing_to_publish(month: Month, newest: Edition | None) -> str:
    if newest is None:
        return f"{month} has no draft to publish; `smi run {month}` makes one"
    return f"{month} derives to edition {newest.number}, which is published; there is nothing to publish"


def _refuse(month: Month, newest: Edition | None, found: Edition, reason: str | None) -> None:
    if reason == "":
        raise EditionError(f"say why {month} is published again: `smi restate {month} --reason TEXT`")
    if newest is None and reason is not None:
        raise EditionError(f"{month} is not published yet, so nothing is restated; `smi publish {month}`")
    if newest is not None and reason is None and not _succeeds(found, newest):
        raise EditionError(
            f"{month} is published as edition {newest.number}; `smi restate {month} --reason TEXT` publishes its draft"
            f" as edition {found.number}"
        )


def _succeeds(found: Edition, newest: Edition) -> bool:
    """Whether it is the final edition that every provisional one is followed by: that needs no reason."""
    return newest.basis.status == "provisional" and found.basis.status == "final"


def _written(folder: Path, number: int | None, newest: Edition | None, files: Mapping[str, bytes]) -> Written:
    sizes = {name: len(content) for name, content in files.items()}
    return Written(folder, number, None if newest is None else newest.number, sizes)
