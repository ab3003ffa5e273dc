"""Where a lake keeps its catalog and its files: in its folder, or in PostgreSQL and an S3-compatible store.

One database and one bucket hold many lakes: each has the PostgreSQL schema and the prefix of its folder's name, so that
the demo's lake never meets the published one. Passwords and keys are bound to secrets of the process's database; no
statement, path or message has them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import duckdb
from pydantic import SecretStr

from smi_pipeline.settings import Settings

BUSY_TIMEOUT_MS = 30_000
# Writers race for the next snapshot number; the loser of a round tries the next. DuckLake's own pauses begin with
# 100 ms and are each half as long again as the one before: the tenth takes four seconds, the twentieth four minutes.
COMMIT_ROUNDS, FIRST_PAUSE_MS, PAUSE_GROWTH = 100, 20, 1.05
POSTGRES = ("postgres:", "postgresql:")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
_PASSWORD = re.compile(r"password\s*=|://[^/@\s]*:[^/@\s]*@", re.IGNORECASE)


class LakeError(Exception):
    """The lake cannot be opened or written; the message names the folder and the remedy."""


@dataclass(frozen=True)
class Store:
    """An S3-compatible store: `endpoint` as a URL, null for Amazon's own."""

    endpoint: str | None
    region: str
    key_id: SecretStr
    secret: SecretStr
    path_style: bool


@dataclass(frozen=True)
class Storage:
    """What is kept elsewhere than in the lake's folder; null is: in the folder.

    `catalog`: `postgres:` and a libpq connection string. `data_path`: a folder or `s3://bucket/prefix` above the lakes.
    """

    catalog: str | None = None
    password: SecretStr | None = None
    data_path: str | None = None
    store: Store | None = None

    @classmethod
    def of(cls, settings: Settings) -> Storage:
        """As the settings say.

        Raises:
            LakeError: a catalog of another kind, a password within it, or a bucket without keys.
        """
        if settings.catalog is not None:
            _refuse_catalog(settings.catalog)
        return cls(settings.catalog, settings.catalog_password, settings.data_path, _store(settings))

    @property
    def conninfo(self) -> str | None:
        """What libpq is given to reach the catalog, without the password; null for SQLite."""
        if self.catalog is None:
            return None
        return self.catalog if "://" in self.catalog else self.catalog.split(":", 1)[1]

    def extensions(self) -> list[str]:
        """The DuckDB extensions that are loaded for it."""
        catalog = "sqlite_scanner" if self.catalog is None else "postgres_scanner"
        return ["ducklake", catalog, *(["httpfs"] if self.store is not None else [])]

    def tables(self, folder: Path) -> str:
        """Where the lake in `folder` keeps its Parquet files."""
        return str(folder / "tables") if self.data_path is None else f"{self.data_path.rstrip('/')}/{lake_name(folder)}"

    def catalog_schema(self, folder: Path) -> str:
        """The schema that DuckLake's own tables are in, of the lake in `folder` attached as `lake`."""
        return f"__ducklake_metadata_lake.{'main' if self.conninfo is None else lake_name(folder)}"

    def attach(self, connection: duckdb.DuckDBPyConnection, folder: Path, name: str, *options: str) -> None:
        """Attach the lake in `folder` under a name; with `options`, further ones of DuckLake."""
        # The stored data path is absolute: without OVERRIDE a moved lake would write into its old folder.
        chosen = [f"DATA_PATH {quoted(self.tables(folder))}", "OVERRIDE_DATA_PATH true", *options]
        if self.conninfo is None:
            catalog = f"sqlite:{folder / 'catalog.sqlite'}"
            chosen += ["META_JOURNAL_MODE 'WAL'", f"META_BUSY_TIMEOUT {BUSY_TIMEOUT_MS}"]
        else:
            catalog = f"postgres:{self.conninfo}"
            chosen += [f"METADATA_SCHEMA {quoted(lake_name(folder))}"]
            if self.password is not None:
                connection.execute(
                    "create or replace secret smi_catalog (type postgres, password $password)",
                    {"password": self.password.get_secret_value()},
                )
                chosen += ["META_SECRET 'smi_catalog'"]
        if self.store is not None:
            _bind_keys(connection, self.store)
        connection.execute(f"set ducklake_max_retry_count = {COMMIT_ROUNDS}")
        connection.execute(f"set ducklake_retry_wait_ms = {FIRST_PAUSE_MS}")
        connection.execute(f"set ducklake_retry_backoff = {PAUSE_GROWTH}")
        connection.execute(f"attach {quoted('ducklake:' + catalog)} as {name} ({', '.join(chosen)})")

    def attach_read_only(self, connection: duckdb.DuckDBPyConnection, folder: Path, catalog: Path) -> None:
        """Attach the lake in `folder` for reading, by a catalog that may be a copy of its own."""
        chosen = f"DATA_PATH {quoted(self.tables(folder))}, OVERRIDE_DATA_PATH true, READ_ONLY"
        if self.store is not None:
            _bind_keys(connection, self.store)
        connection.execute(f"attach {quoted(f'ducklake:sqlite:{catalog}')} as lake ({chosen})")


def lake_name(folder: Path) -> str:
    """What the lake in `folder` is called in a catalog and store that it shares with others.

    Raises:
        LakeError: the folder's name cannot be one.
    """
    if not _NAME.fullmatch(folder.name):
        raise LakeError(
            f"the lake {folder} cannot be kept in a shared catalog or store: there it has its folder's name, which must"
            f" be lower-case letters, digits and _, not {folder.name!r}; rename the folder or give another with --lake"
        )
    return folder.name


def quoted(text: str | Path) -> str:
    """Text between single quotes, for the few statements that take no bound parameter (LOAD, ATTACH)."""
    return "'" + str(text).replace("'", "''") + "'"


def parquet(path: str) -> str:
    """A file as a relation, its rows as they lie in it."""
    return f"read_parquet({quoted(path)}, hive_partitioning => false)"


def _refuse_catalog(catalog: str) -> None:
    if not catalog.startswith(POSTGRES):
        raise LakeError(
            f"SMI_CATALOG is to be `postgres:` and a connection string (postgres:host=db.example dbname=lake user=smi),"
            f" or unset for catalog.sqlite in the lake's folder; it begins with {catalog.split(':', 1)[0][:20]!r}"
        )
    if _PASSWORD.search(catalog):
        raise LakeError("SMI_CATALOG holds a password; give it as SMI_CATALOG_PASSWORD, which no message ever shows")


def _store(settings: Settings) -> Store | None:
    if settings.data_path is None or not settings.data_path.startswith("s3://"):
        return None
    if settings.s3_key_id is None or settings.s3_secret is None:
        missing = "SMI_S3_KEY_ID" if settings.s3_key_id is None else "SMI_S3_SECRET"
        raise LakeError(f"SMI_DATA_PATH is in an S3 store and {missing} is not set")
    return Store(
        settings.s3_endpoint, settings.s3_region, settings.s3_key_id, settings.s3_secret, settings.s3_path_style
    )


def _bind_keys(connection: duckdb.DuckDBPyConnection, store: Store) -> None:
    options = {
        "key_id": store.key_id.get_secret_value(),
        "secret": store.secret.get_secret_value(),
        "region": store.region,
        "url_style": "path" if store.path_style else "vhost",
    }
    if store.endpoint is not None:
        parts = urlsplit(store.endpoint if "://" in store.endpoint else f"https://{store.endpoint}")
        options |= {"endpoint": parts.netloc, "use_ssl": str(parts.scheme == "https").lower()}
    listed = ", ".join(f"{name} ${name}" for name in options)
    connection.execute(f"create or replace secret smi_store (type s3, {listed})", options)
