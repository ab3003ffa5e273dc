"""A disk, a folder, a file or a lock that fails: one line that names it and the remedy, and the last state stays whole."""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from datetime import date

import polars as pl
import pytest
from smi import PROJECT, SAMPLE, command, environment, smi, until

from smi_pipeline.lake.backup import back_up
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.derived import replace_month

APRIL, MAY = date(2025, 4, 1), date(2025, 5, 1)
# Root passes over permissions by capabilities; without these three it is bound by them like anybody.
BOUND = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner"] if os.geteuid() == 0 else []

WRITER = """
import resource, sys
from datetime import date
import polars as pl
from smi_pipeline.lake.connection import Lake, LakeError
from smi_pipeline.lake.derived import replace_month
lake, limit, rows = Lake.of(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
month = date(2025, 5, 1)
lake.snapshot()
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
numbers = [(n * 2654435761) % 2**61 for n in range(rows)]
try:
    while True:  # small commits end in the catalog, and each makes it larger
        replace_month(lake, "metrics.sums", month, pl.DataFrame({"month": [month] * rows, "n": numbers}))
        numbers = [n + 1 for n in numbers]
except LakeError as error:
    sys.exit(str(error))
"""


def replace(lake, month, numbers):
    replace_month(lake, "metrics.sums", month, pl.DataFrame({"month": [month] * len(numbers), "n": numbers}))


def april(path):
    """What the lake says of April, asked by another process."""
    done = smi("export", "metrics.sums", "--month", "2025-04", "--lake", path)
    assert done.returncode == 0, done.stderr
    return [int(line.split(",")[1]) for line in done.stdout.splitlines()[1:]]


def write_until_it_fails(path, limit, rows):
    done = subprocess.run(
        [sys.executable, "-c", WRITER, path, str(limit), str(rows)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=environment(),
    )
    assert done.returncode == 1, done.stderr
    [line] = done.stderr.splitlines()
    return line


def failed(*arguments, prefix=()):
    """The one line of a command that fails; a traceback has more."""
    done = subprocess.run(
        [*prefix, *command(*arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
        env=environment(),
        cwd=PROJECT,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, done.stderr
    return lines[0]


@contextmanager
def mounted(folder, *options):
    """A mount of its own; false where this user may not mount."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(["mount", *options, folder], capture_output=True, check=False)
    try:
        yield done.returncode == 0
    finally:
        if done.returncode == 0:
            subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize(("rows", "what"), [(400_000, ".parquet cannot be written"), (5, "catalog.sqlite")])
def test_a_full_disk_keeps_the_old_month_and_says_which_file_had_no_room(tmp_path, rows, what):
    """By a limit on the size of files, which stops a write as a full disk does and needs no right to mount one."""
    lake = Lake.of(tmp_path / "lake")
    replace(lake, APRIL, list(range(100)))
    catalog = lake.catalog_file.stat().st_size
    line = write_until_it_fails(lake.path, catalog + 60_000, rows)
    assert what in line
    assert "run the same command again" in line
    assert april(lake.path) == list(range(100))
    replace(lake, MAY, [1])  # with room again the next write succeeds
    assert "are as they were written" in smi("lake", "check", "--lake", lake.path).stdout


def test_a_disk_without_room_for_a_run_says_where_and_leaves_what_can_be_read(tmp_path):
    """Its last line; before it Dagster says in its own words that it cannot write its history either."""
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=5m", "tmpfs") as small:
        lake = tmp_path / "disk" / "lake"
        if not small:  # the same by a limit, where mounting is forbidden
            Lake.of(lake).snapshot()
            assert "run the same command again" in write_until_it_fails(lake, 500_000, 400_000)
            return
        ballast = tmp_path / "disk" / "ballast"
        ballast.write_bytes(b"\0" * 500_000)
        done = smi("run", "2025-05", "--sandbox", SAMPLE, "--lake", lake)
        assert done.returncode == 1
        line = done.stderr.strip().splitlines()[-1]
        assert str(lake) in line
        assert "room" in line or "No space left on device" in line
        ballast.unlink()
        assert smi("status", "--lake", lake).returncode == 0
        filler = tmp_path / "disk" / "filler"
        with pytest.raises(OSError, match="No space"):
            filler.write_bytes(b"\0" * 6_000_000)
        done = smi("status", "--lake", lake)  # SQLite needs a little room beside the catalog to open it
        assert done.returncode == 0 or f"{lake / 'catalog.sqlite'}: disk I/O error" in done.stderr
        filler.unlink()
        assert smi("status", "--lake", lake).returncode == 0


@contextmanager
def read_only(folder, tmp_path, how):
    """The folder where nothing in it can be written, and what a command is prefixed with for that to bind it."""
    if how == "mount":
        with mounted(tmp_path / "there", "--bind", folder) as bound:
            if bound:
                subprocess.run(["mount", "-o", "remount,bind,ro", tmp_path / "there"], check=True)
                yield tmp_path / "there", []
                return
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        yield folder, BOUND
    finally:
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)


@pytest.mark.parametrize("how", ["mount", "permissions"])
def test_a_lake_that_cannot_be_written_is_read_and_a_write_says_so(tmp_path, how):
    lake = Lake.of(tmp_path / "lake")
    replace(lake, APRIL, list(range(100)))
    replace(lake, MAY, [1])
    shutil.copytree(lake.path, tmp_path / "archive")  # its log is not read into the catalog yet, and has no index
    with read_only(tmp_path / "archive", tmp_path, how) as (folder, prefix):
        for arguments in (["export", "metrics.sums"], ["status"], ["lake", "status"], ["lake", "check"]):
            done = subprocess.run(
                [*prefix, *command(*arguments, "--lake", folder)],
                capture_output=True,
                text=True,
                check=False,
                env=environment(),
            )
            assert done.returncode == 0, (arguments, done.stderr)
            if arguments[0] == "export":
                assert len(done.stdout.splitlines()) == 1 + 101
        for arguments in (["lake", "compact"], ["run", "2025-05", "--sandbox", SAMPLE]):
            line = failed(*arguments, "--lake", folder, prefix=prefix)
            assert "cannot be written" in line
            assert "--lake" in line
        assert not (folder / "catalog.sqlite-shm").exists()


def test_a_lock_file_of_a_process_that_died_holds_nobody_up(tmp_path):
    """The lock is the kernel's, the file only its name: it may stay for ever."""
    lake = Lake.of(tmp_path / "lake")
    replace(lake, APRIL, [1])
    script = (
        "import sys, time; from smi_pipeline.lake.connection import Lake\n"
        "with Lake.of(sys.argv[1]).lock('write'):\n    print('held', flush=True)\n    time.sleep(600)"
    )
    holder = subprocess.Popen([sys.executable, "-c", script, lake.path], stdout=subprocess.PIPE, env=environment())
    assert holder.stdout.readline() == b"held\n"
    waiting = subprocess.Popen(command("lake", "compact", "--lake", lake.path), env=environment(), cwd=PROJECT)
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(5)
    holder.send_signal(signal.SIGKILL)
    until(lambda: holder.poll() is not None)
    assert waiting.wait(120) == 0
    assert (lake.path / ".locks" / "write.lock").exists()
    holder.stdout.close()


@pytest.fixture
def kept(tmp_path):
    """A lake with April in a file and May in the catalog, and a backup of it."""
    lake = Lake.of(tmp_path / "lake")
    replace(lake, APRIL, list(range(100)))
    replace(lake, MAY, [1])
    back_up(lake, tmp_path / "backup")
    shutil.copytree(lake.path, tmp_path / "hit", ignore=shutil.ignore_patterns("*-shm", "*-wal"))
    (tmp_path / "hit" / "catalog.sqlite").unlink()
    [copy] = (tmp_path / "backup").glob("catalog-*.sqlite")
    shutil.copyfile(copy, tmp_path / "hit" / "catalog.sqlite")  # whole, with nothing in a log beside it
    return tmp_path / "hit", tmp_path / "backup"


def cut(file):
    file.write_bytes(file.read_bytes()[:20_000])


def scramble(file):
    data = bytearray(file.read_bytes())
    data[4096:40_960] = bytes((n * 167 + 13) % 256 for n in range(36_864))
    file.write_bytes(data)


def overwrite(file):
    file.write_bytes(b"not a catalog " * 5000)


def empty(file):
    file.write_bytes(b"")


def remove(file):
    file.unlink()


@pytest.mark.parametrize("hit", [cut, scramble, overwrite, empty, remove])
def test_a_damaged_catalog_is_named_with_the_remedy_and_the_remedy_works(kept, hit):
    """Empty or gone, it would be taken for a new lake, and the files of the old one for orphans."""
    lake, backup = kept
    hit(lake / "catalog.sqlite")
    for arguments in (["status"], ["run", "2025-05", "--sandbox", SAMPLE]):
        line = failed(*arguments, "--lake", lake)
        assert str(lake / "catalog.sqlite") in line
        assert "smi lake restore BACKUP --force" in line
    done = smi("lake", "restore", backup, "--force", "--lake", lake)
    assert done.returncode == 0, done.stderr
    assert april(lake) == list(range(100))


@pytest.mark.parametrize(
    ("hit", "state"), [(remove, "is lost"), (lambda file: file.write_bytes(file.read_bytes()[:300]), "is damaged")]
)
def test_a_lost_or_cut_data_file_is_named_with_its_table_and_month_and_comes_back(kept, hit, state):
    lake, backup = kept
    [file] = lake.rglob("*.parquet")
    hit(file)
    for arguments in (["export", "metrics.sums"], ["lake", "check"]):
        line = failed(*arguments, "--lake", lake)
        assert str(file) in line
        assert "metrics.sums 2025-04" in line
        assert "smi lake restore" in line
    assert state in failed("export", "metrics.sums", "--lake", lake)
    assert smi("export", "metrics.sums", "--month", "2025-05", "--lake", lake).returncode == 0  # whole months are read
    assert smi("lake", "restore", backup, "--files", "--lake", lake).returncode == 0
    assert april(lake) == list(range(100))
