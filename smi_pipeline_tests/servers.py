"""A real PostgreSQL and a real S3-compatible server on loopback, for as long as a test session lasts.

PostgreSQL refuses to run as root: there it runs as the user that Debian's package makes.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from pydantic import SecretStr

from smi_pipeline.lake.storage import Storage, Store

PASSWORD, KEY, SECRET = "SMI_CANARY_catalog", "SMI_CANARY_key", "SMI_CANARY_store's"
ANSWERS_WITHIN = 60  # seconds
BUCKET, LISTED_FOR = "kept", 1  # how long the store remembers what a folder has, in seconds


@dataclass(frozen=True)
class Servers:
    """The folder of PostgreSQL's socket, the store's port, and the folder whose subfolders are buckets."""

    postgres: str
    store: int
    buckets: Path

    def fresh(self, name, *, like="template1"):
        """A database of that name made anew, and a place in the bucket, as settings. `like`: what it is a copy of."""
        with psycopg.connect(self.conninfo("postgres"), password=PASSWORD, autocommit=True) as connection:
            connection.execute(f'create database "{name}" template "{like}"')
        return {
            "SMI_CATALOG": f"postgres:{self.conninfo(name)}",
            "SMI_CATALOG_PASSWORD": PASSWORD,
            "SMI_DATA_PATH": f"s3://{BUCKET}/{name}",
            "SMI_S3_ENDPOINT": f"http://127.0.0.1:{self.store}",
            "SMI_S3_KEY_ID": KEY,
            "SMI_S3_SECRET": SECRET,
            "SMI_S3_PATH_STYLE": "true",
        }

    def files(self, name):
        """Where the store keeps the files of the lake `lake` with the settings of that name."""
        return self.buckets / BUCKET / name / "lake"

    def conninfo(self, database):
        return f"host={self.postgres} dbname={database} user=smi"


def storage(settings):
    """The same as `smi` makes of those settings; in the lake's folder where there are none."""
    if not settings:
        return Storage()
    keys = Store(
        settings["SMI_S3_ENDPOINT"],
        "us-east-1",
        SecretStr(settings["SMI_S3_KEY_ID"]),
        SecretStr(settings["SMI_S3_SECRET"]),
        path_style=True,
    )
    password = SecretStr(settings["SMI_CATALOG_PASSWORD"])
    return Storage(settings["SMI_CATALOG"], password, settings["SMI_DATA_PATH"], keys)


@contextmanager
def serving(folder):
    """Both servers, stopped at the end."""
    buckets = folder / "buckets"
    (buckets / BUCKET).mkdir(parents=True)
    with postgres(folder / "postgres") as listens, _store(buckets) as store:
        yield Servers(listens, store, buckets)


def binaries():
    """The folder of PostgreSQL's server programs, null where there is none."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    found = shutil.which("initdb")
    return next((folder for folder in reversed(folders) if (folder / "initdb").exists()), found and Path(found).parent)


@contextmanager
def postgres(folder, port=5432):
    """Yields the folder of the socket it listens on: a path of its own, which no other process can have taken."""
    programs, user = binaries(), "postgres" if os.getuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="smi") as short:  # a socket's path may have 107 characters
        data, password, log = Path(short) / "data", Path(short) / "password", folder.with_suffix(".log")
        password.write_text(PASSWORD, encoding="utf-8")
        if user is not None:
            owner = pwd.getpwnam(user)
            for path in (short, password):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        how = ["-U", "smi", "-A", "scram-sha-256", "--pwfile", password, "--no-sync", "-E", "UTF8", "--locale=C"]
        with log.open("w") as written:
            made = {"user": user, "cwd": "/", "stdout": written, "stderr": written}
            subprocess.run([programs / "initdb", "-D", data, *how], check=True, **made)
            Path(short).chmod(0o755)
            command = [
                programs / "postgres",
                "-D",
                data,
                "-h",
                "",
                "-k",
                short,
                "-p",
                str(port),
                "-F",
                "-c",
                "max_connections=500",
            ]
            with _running(command, **made) as process:
                asked = [programs / "pg_isready", "-q", "-h", short, "-p", str(port)]
                _wait_for(process, log, lambda: subprocess.run(asked, check=False).returncode == 0)
                yield short


@contextmanager
def _store(buckets):
    port = _free_port()
    rclone = Path(sys.executable).with_name("rclone")
    command = [rclone, "serve", "s3", buckets, "--addr", f"127.0.0.1:{port}", "--force-path-style"]
    # For no time at all rclone looks for changes without rest.
    command += ["--config", "/dev/null", "--vfs-cache-mode", "off", "--dir-cache-time", f"{LISTED_FOR}s"]
    command += ["--auth-key", f"{KEY},{SECRET}"]
    log = buckets.with_suffix(".log")
    with log.open("w") as written, _running(command, stderr=written, stdout=written) as process:
        _wait_for(process, log, lambda: f"[http://127.0.0.1:{port}/]" in log.read_text(encoding="utf-8"))
        yield port


@contextmanager
def _running(command, **how):
    process = subprocess.Popen(command, **how)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown: it does not wait for those who are connected
        process.wait(60)


def _wait_for(process, log, ready):
    end = time.monotonic() + ANSWERS_WITHIN
    while not ready():
        assert process.poll() is None, log.read_text(encoding="utf-8")
        assert time.monotonic() < end, log.read_text(encoding="utf-8")
        time.sleep(0.05)


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
