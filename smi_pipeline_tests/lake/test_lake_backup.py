"""The drill: back up, destroy, restore; and a lake that is moved. What is derived afterwards is the same, byte for byte."""

import json
import shutil
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from smi import SAMPLE, smi

from smi_pipeline.lake.backup import MANIFEST, back_up, restore, restore_files
from smi_pipeline.lake.connection import Lake, LakeError
from smi_pipeline.lake.derived import replace_month

APRIL, MAY = date(2025, 4, 1), date(2025, 5, 1)


def replace(lake, month, numbers):
    replace_month(lake, "metrics.sums", month, pl.DataFrame({"month": [month] * len(numbers), "n": numbers}))


def numbers(path):
    """Read by another process: a process that has a lake open would go on reading the one that was there before."""
    done = smi("export", "metrics.sums", "--lake", path)
    assert done.returncode == 0, done.stderr
    return [line.split(",")[1] for line in done.stdout.splitlines()[1:]]


def files(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def told(*arguments):
    done = smi(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def derived_again(lake):
    """The files of the month's edition and a table, after `smi run` has made them anew; it finds nothing to ask for."""
    shutil.rmtree(lake / "reports" / "2025-05", ignore_errors=True)
    told("run", "2025-05", "--sandbox", SAMPLE, "--lake", lake)
    return files(lake / "reports" / "2025-05"), told("export", "index.composite", "--lake", lake)


def test_the_drill_back_up_destroy_restore_and_derive_the_same_bytes(whole, tmp_path):
    """With compaction and expiry on the way: neither may be seen in what is derived."""
    lake, backup = tmp_path / "lake", tmp_path / "backup"
    shutil.copytree(whole, lake)
    before = files(lake / "reports" / "2025-05"), told("export", "index.composite", "--lake", lake)
    raw = told("export", "raw.x_posts", "--lake", lake)
    told("lake", "compact", "--lake", lake)
    told("lake", "expire", "--days", "0", "--lake", lake)
    told("lake", "backup", backup, "--lake", lake)
    shutil.rmtree(lake)
    told("lake", "restore", backup, "--lake", lake)
    assert told("export", "raw.x_posts", "--lake", lake) == raw
    assert "are as they were written" in told("lake", "check", "--lake", lake)
    assert derived_again(lake) == before


def test_a_moved_lake_is_read_and_derived_where_it_is_now(whole, tmp_path):
    lake, there = tmp_path / "lake", tmp_path / "elsewhere's 湖"
    shutil.copytree(whole, lake)
    before = files(lake / "reports" / "2025-05"), told("export", "index.composite", "--lake", lake)
    lake.rename(there)
    assert derived_again(there) == before
    assert not lake.exists()


def test_a_second_backup_copies_what_is_new_and_drops_what_the_lake_no_longer_needs(tmp_path):
    lake, backup = Lake.of(tmp_path / "lake"), tmp_path / "backup"
    replace(lake, APRIL, list(range(100)))
    (lake.path / "inbox").mkdir()
    (lake.path / "inbox" / "note.csv").write_text("a")
    first = back_up(lake, backup)
    assert first.copied == 3  # a file of rows, the note, the catalog
    replace(lake, MAY, list(range(100)))
    (lake.path / "inbox" / "note.csv").write_text("b")
    second = back_up(lake, backup)
    assert (second.files, second.copied, second.dropped) == (4, 3, 2)  # the earlier note and the earlier catalog went
    restore(backup, Lake.of(tmp_path / "again"))
    assert numbers(tmp_path / "again") == [*map(str, range(100))] * 2
    assert (tmp_path / "again" / "inbox" / "note.csv").read_text() == "b"


def test_rows_that_are_in_the_catalog_alone_are_in_the_backup(tmp_path):
    lake = Lake.of(tmp_path / "lake")
    replace(lake, MAY, [7])
    assert list(lake.path.rglob("*.parquet")) == []
    back_up(lake, tmp_path / "backup")
    restore(tmp_path / "backup", Lake.of(tmp_path / "again"))
    assert numbers(tmp_path / "again") == ["7"]


def test_a_lost_file_is_brought_back_and_what_was_committed_since_stays(tmp_path):
    lake, backup = Lake.of(tmp_path / "lake"), tmp_path / "backup"
    replace(lake, APRIL, list(range(100)))
    back_up(lake, backup)
    replace(lake, MAY, [5])
    [file] = lake.path.rglob("*.parquet")
    file.unlink()
    assert restore_files(backup, lake) == [str(file)]
    assert restore_files(backup, lake) == []
    assert numbers(lake.path) == [*map(str, range(100)), "5"]


def test_bytes_that_changed_without_being_noticed_are_brought_back_too(tmp_path):
    """Parquet has no checksum of its own here: a flipped bit in a page reads as another number."""
    lake, backup = Lake.of(tmp_path / "lake"), tmp_path / "backup"
    replace(lake, APRIL, [0] * 100)
    back_up(lake, backup)
    [file] = lake.path.rglob("*.parquet")
    whole = file.read_bytes()
    file.write_bytes(whole[:30] + bytes([whole[30] ^ 1]) + whole[31:])
    assert restore_files(backup, lake) == [str(file)]
    assert file.read_bytes() == whole


def test_a_lake_that_lost_a_file_is_no_reason_to_lose_the_backup(tmp_path):
    lake, backup = Lake.of(tmp_path / "lake"), tmp_path / "backup"
    replace(lake, APRIL, list(range(100)))
    back_up(lake, backup)
    before = files(backup)
    replace(lake, MAY, list(range(100)))
    [file] = lake.path.rglob("month=2025-05-01/*.parquet")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(LakeError, match=r"rows of metrics\.sums 2025-05, has 100 bytes"):
        back_up(lake, backup)
    assert {path: data for path, data in files(backup).items() if path in before} == before
    restore(backup, Lake.of(tmp_path / "again"))
    assert numbers(tmp_path / "again") == [*map(str, range(100))]


def test_a_damaged_backup_is_found_before_anything_is_replaced(tmp_path):
    lake, backup = Lake.of(tmp_path / "lake"), tmp_path / "backup"
    replace(lake, APRIL, list(range(100)))
    back_up(lake, backup)
    before = files(lake.path / "tables")
    [stored] = backup.rglob("*.parquet")
    data = bytearray(stored.read_bytes())
    data[60] ^= 1
    stored.write_bytes(data)
    with pytest.raises(LakeError, match="not as it was backed up; nothing was restored"):
        restore(backup, lake, force=True)
    assert files(lake.path / "tables") == before


def test_a_lake_is_only_replaced_by_force_and_its_catalog_is_kept(tmp_path):
    lake, backup = tmp_path / "lake", tmp_path / "backup"
    replace(Lake.of(lake), APRIL, [1])
    back_up(Lake.of(lake), backup)
    replace(Lake.of(lake), APRIL, [2])
    with pytest.raises(LakeError, match="--force"):
        restore(backup, Lake.of(lake))
    assert "snapshot" in told("lake", "restore", backup, "--force", "--lake", lake)
    assert numbers(lake) == ["1"]
    assert (lake / "catalog.sqlite.replaced").exists()


def test_a_folder_of_something_else_is_never_written_to(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter").write_text("dear")
    lake = Lake.of(tmp_path / "lake")
    replace(lake, APRIL, [1])
    with pytest.raises(LakeError, match="not empty and no backup"):
        back_up(lake, tmp_path / "home")
    with pytest.raises(LakeError, match="inside the lake"):
        back_up(lake, lake.path / "backup")
    assert [file.name for file in (tmp_path / "home").iterdir()] == ["letter"]


def test_a_backup_that_was_never_finished_says_so(tmp_path):
    (tmp_path / "backup").mkdir()
    empty = {"snapshot": 0, "catalog": None, "tables": {}, "others": {}}
    (tmp_path / "backup" / MANIFEST).write_text(json.dumps(empty))
    with pytest.raises(LakeError, match="never finished"):
        restore(tmp_path / "backup", Lake.of(tmp_path / "lake"))
    with pytest.raises(LakeError, match="no backup: it has no manifest"):
        restore(tmp_path / "nothing", Lake.of(tmp_path / "lake"))
    assert not Path(tmp_path / "lake" / "catalog.sqlite").exists()


def test_a_lake_on_postgresql_and_s3_says_how_it_is_backed_up(servers, tmp_path):
    """Its own tools do so; a command that copied the half of it would be worse than none."""
    there = servers.fresh("backed_up")
    done = smi("lake", "status", "--lake", tmp_path / "lake", **there)
    assert done.returncode == 1
    told_by = smi("lake", "backup", tmp_path / "backup", "--lake", tmp_path / "lake", **there)
    restored = smi("lake", "restore", tmp_path / "backup", "--lake", tmp_path / "lake", **there)
    assert "there is no lake" in told_by.stderr
    assert restored.returncode == 1
    assert "pg_dump" in restored.stderr
    assert not (tmp_path / "backup").exists()
