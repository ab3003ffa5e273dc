"""All configuration: SMI_* variables (or a .env file), read once.

Credentials are `SecretStr`: they show as `**********` wherever a settings object is printed.
"""

from __future__ import annotations

import difflib
import functools
import io
import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dotenv.parser import Binding, parse_stream
from pydantic import AwareDatetime, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from smi_pipeline.months import Month
from smi_pipeline.registry.load import RegistryError
from smi_pipeline.registry.models import FICTIONAL_PREFIX, Account, Platform

PROJECT = Path(__file__).resolve().parents[1]
SCENARIO_REGISTRY = PROJECT / "smi_pipeline" / "sandbox" / "scenario" / "registry"
ENV_FILE: Final = Path(".env")  # of the current directory
OF_TESTS: Final = "SMI_TESTS_"  # variables of the test suite begin with this


Source = Literal["api", "files"]
Publish = Literal["by_hand", "provisional", "final"]
Chat = Literal["slack", "dingtalk", "feishu", "wecom"]


class SettingsError(Exception):
    """The .env file cannot be read as text."""


class Settings(BaseSettings):
    """Every setting of the pipeline, its default and its meaning."""

    model_config = SettingsConfigDict(
        env_prefix="SMI_", env_file=ENV_FILE, env_file_encoding="utf-8-sig", extra="ignore", frozen=True
    )

    lake: Path = Field(default=PROJECT / "data_lake" / "main", description="Folder of the lake.")
    registry: Path | None = Field(
        default=None,
        description="Folder with cities.csv and accounts.csv; not set: the lake's own, else the bundled scenario's.",
    )
    first_month: str = Field(default="2024-05", description="First monthly partition, YYYY-MM.")
    services_now: AwareDatetime | None = Field(
        default=None,
        description="The services' time where it is not this machine's (`smi dev` sets it): no later month is offered.",
    )
    zone: str | None = Field(default=None, description="Zone of the months; the method file's own when not set.")
    method: str | None = Field(
        default=None,
        description="A bundled method version or the path of a method file, for every month; unset: each month's own.",
    )
    catalog: str | None = Field(
        default=None, description="DuckLake catalog, `postgres:` and a connection string; unset: <lake>/catalog.sqlite."
    )
    catalog_password: SecretStr | None = Field(default=None, description="The catalog's; libpq's own ways work, too.")
    data_path: str | None = Field(
        default=None, description="Where lakes' Parquet files go, a folder or s3://bucket/prefix; unset: <lake>/tables."
    )
    s3_endpoint: str | None = Field(default=None, description="URL of an S3-compatible store; unset: Amazon's own.")
    s3_region: str = "us-east-1"
    s3_key_id: SecretStr | None = None
    s3_secret: SecretStr | None = None
    s3_path_style: bool = Field(default=False, description="Bucket in the path and not in the host's name.")

    payload_months: int | None = Field(
        default=None,
        ge=1,
        description="How many months payloads are kept (`smi lake expire` removes older ones); unset: for ever.",
    )

    facebook_base_url: str = "https://graph.facebook.com/v26.0"
    x_base_url: str = "https://api.x.com"
    instagram_base_url: str = "https://graph.facebook.com/v26.0"
    youtube_base_url: str = "https://youtube.googleapis.com/youtube/v3"
    tiktok_base_url: str = "https://open.tiktokapis.com"

    facebook_token: SecretStr | None = None
    facebook_app_secret: SecretStr | None = Field(default=None, description="Only where the app demands a proof.")
    x_bearer_token: SecretStr | None = None
    instagram_token: SecretStr | None = None
    instagram_user_id: str | None = Field(default=None, description="The asking professional account's own id.")
    youtube_api_key: SecretStr | None = None
    tiktok_client_key: SecretStr | None = None
    tiktok_client_secret: SecretStr | None = None

    facebook_page_size: int = Field(default=100, ge=1, le=100, description="Posts a request; halved where too much.")
    instagram_page_size: int = Field(
        default=50, ge=1, le=100, description="Media a request; 100 is accepted at times. Halved where too much."
    )
    tiktok_names_a_query: int = Field(
        default=50, ge=1, le=1000, description="Accounts a video query; nobody says how many are allowed."
    )

    youtube_units_a_day: int = Field(default=10_000, ge=0, description="Quota units of the project, by Pacific days.")
    tiktok_requests_a_day: int = Field(default=1_000, ge=0, description="Requests of the client, by UTC days.")
    tiktok_records_a_day: int = Field(default=100_000, ge=0, description="Videos of the client, by UTC days.")
    x_usd_a_month: float | None = Field(
        default=None,
        ge=0,
        allow_inf_nan=False,
        description="What X may cost in a calendar month (UTC), in dollars; no limit when not set.",
    )
    facebook_requests_a_minute: int | None = Field(default=None, ge=1, description="At most so many; unset: no limit.")
    instagram_requests_a_minute: int | None = Field(default=None, ge=1, description="Likewise.")
    youtube_requests_a_minute: int | None = Field(default=None, ge=1, description="Likewise.")
    tiktok_requests_a_minute: int | None = Field(default=None, ge=1, description="Likewise.")

    facebook_source: Source = Field(default="api", description="Where it comes from: the API, or a vendor's files.")
    x_source: Source = "api"
    instagram_source: Source = "api"
    youtube_source: Source = "api"
    tiktok_source: Source = "api"
    vendor_files: Path | None = Field(
        default=None, description="Folder of the vendor's folders, one a month or day; <lake>/inbox/vendor if unset."
    )

    publish: Publish = Field(
        default="by_hand",
        description="When a month's first edition is published without a person: never, as soon as it is derived"
        " (its final one follows by itself), or once it is final.",
    )

    unattended: bool = Field(default=False, description="Schedules and sensors are on from the first start.")
    sensor_seconds: int = Field(default=30, ge=1, description="Sensors look so often, at most; the daemon every 5 s.")
    retry_minutes: float = Field(
        default=15,
        gt=0,
        allow_inf_nan=False,
        description="After a failed collection, before it is tried again; doubles up to six hours.",
    )
    notify_webhook: SecretStr | None = Field(default=None, description="Where messages go; a chat's incoming webhook.")
    notify_chat: Chat | None = Field(
        default=None, description="Which chat's format messages have; unset: by the webhook's host, else Slack's."
    )
    ui_url: str | None = Field(default=None, description="Where people reach the Dagster UI, for links in messages.")
    reports_url: str | None = Field(default=None, description="Where people reach <lake>/reports, likewise.")
    keep_runs_days: int = Field(default=400, ge=31, description="How long Dagster's history of old runs is kept.")

    concurrency: int = Field(default=8, ge=1, le=64, description="Requests in flight per platform.")

    @field_validator("lake")
    @classmethod
    def _lake_can_be_opened(cls, folder: Path) -> Path:
        """Refuse before anything is written what would be read as another path: such a lake could not be used again."""
        if "\\" in str(folder.resolve()):
            raise ValueError(f"DuckDB reads a backslash in a path as a slash; rename the folder {folder.resolve()}")
        home = os.environ.get("DAGSTER_HOME") or str(folder.resolve())
        if "?" in home or unquote(home) != home:
            raise ValueError(
                "Dagster's history is opened by a URL, in which ? and a % before two hexadecimal digits mean something"
                f" else; rename the folder {home}, or set DAGSTER_HOME to another"
            )
        return folder

    @field_validator("first_month")
    @classmethod
    def _first_month_is_a_month(cls, key: str) -> str:
        return Month.parse(key).key

    @field_validator("zone")
    @classmethod
    def _zone_is_known(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError) as error:
                raise ValueError(f"not a zone of the time-zone database: {name!r} (like Asia/Shanghai)") from error
        return name

    def base_url(self, platform: Platform) -> str:
        """Where a platform's API answers, without a slash at the end."""
        return str(getattr(self, f"{platform}_base_url")).rstrip("/")

    def a_minute(self, platform: Platform) -> int | None:
        """How many requests a minute a platform is asked at most; null: as many as come (X has rates of its own)."""
        limit: int | None = getattr(self, f"{platform}_requests_a_minute", None)
        return limit

    def files(self, platform: Platform, period: str) -> Path | None:
        """The vendor's folder for a month (`2025-05`) or day of a platform; null where its API is asked."""
        if getattr(self, f"{platform}_source") == "api":
            return None
        return (self.vendor_files or self.lake / "inbox" / "vendor") / period

    def is_sandbox(self, platform: Platform) -> bool:
        """Whether a platform's base URL is on this machine. Data from there never mixes with the real services'."""
        return urlsplit(self.base_url(platform)).hostname in {"127.0.0.1", "localhost", "::1"}

    def refuse_fictional(self, platform: Platform, accounts: Sequence[Account]) -> None:
        """Keep the bundled registry's made-up accounts away from the real services.

        Raises:
            RegistryError: a fictional handle would be asked for at a real base URL.
        """
        fictional = [account.handle for account in accounts if account.handle.startswith(FICTIONAL_PREFIX)]
        if fictional and not self.is_sandbox(platform):
            remedy = "give your own registry with --registry (docs/registry.md), or run with --sandbox"
            service = self.base_url(platform)
            raise RegistryError([f"{fictional[0]!r} is a fictional account and {service} a real service; {remedy}"])


@functools.cache
def settings() -> Settings:
    """The process's settings, read at the first call. `settings.cache_clear()` makes the next call read them again.

    Raises:
        SettingsError: the .env file is not UTF-8.
    """
    _env_file()
    return Settings()


def ignored_settings() -> list[str]:
    """A line for each setting in the environment or the .env file that has no effect; names only, never a value.

    That is every name that begins like ours and is none of ours, and every line of the file that sets nothing.
    """
    lines = [
        f"{name} in the environment is not a setting and is ignored{_nearest(name)}"
        for name in sorted(os.environ)
        if not _is_known(name)
    ]
    path = ENV_FILE.resolve()
    for line, binding in _env_file():
        if binding.key is None:
            lines.append(f"{path} line {line} is not NAME=VALUE and is ignored")
        elif not _begins_like_ours(binding.key):
            continue  # some other program's
        elif binding.value is None:  # what stands in place of `=` may join name and secret
            name = re.split(r"[^\w-]", unicodedata.normalize("NFKC", binding.key))[0]
            lines.append(f"{path} line {line}: {name} is not followed by = and a value and is ignored{_nearest(name)}")
        elif not _is_known(binding.key):
            lines.append(f"{path} line {line}: {binding.key} is not a setting and is ignored{_nearest(binding.key)}")
    return lines


def _env_file() -> list[tuple[int, Binding]]:
    """What the .env file sets, with line numbers; nothing where there is no such file.

    Raises:
        SettingsError: it is not UTF-8.
    """
    if not ENV_FILE.is_file():
        return []
    path, raw = ENV_FILE.resolve(), ENV_FILE.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{path} line {line} is not UTF-8; save the file as UTF-8") from None
    if "\0" in text:  # UTF-16 without its mark: each byte is ASCII
        line = text.count("\n", 0, text.index("\0")) + 1
        raise SettingsError(f"{path} line {line} has NUL characters, as UTF-16 does; save the file as UTF-8")
    return list(_bindings(text))


def _bindings(text: str) -> Iterator[tuple[int, Binding]]:
    """Name, value and line number of each statement; the name is null where the line is none."""
    for binding in parse_stream(io.StringIO(text)):
        if binding.key is not None or binding.error:
            blank = len(binding.original.string) - len(binding.original.string.lstrip())
            yield binding.original.line + binding.original.string.count("\n", 0, blank), binding


def _begins_like_ours(name: str) -> bool:
    """Whether a name begins with SMI and no further letter, in any case and width."""
    return re.match("SMI[^A-Z]", unicodedata.normalize("NFKC", name).upper()) is not None


def _is_known(name: str) -> bool:
    """Whether a variable is a setting, the test suite's, or nothing to do with this project."""
    upper = name.upper()
    return not _begins_like_ours(name) or upper.startswith(OF_TESTS) or upper in _names()


@functools.cache
def _names() -> tuple[str, ...]:
    return tuple(f"SMI_{field.upper()}" for field in Settings.model_fields)


def _nearest(name: str) -> str:
    """Which setting was probably meant, as the end of a sentence; empty where none is like it."""
    near = difflib.get_close_matches(unicodedata.normalize("NFKC", name).upper(), _names(), n=1)
    return f"; did you mean {near[0]}?" if near and near[0] != name else ""
