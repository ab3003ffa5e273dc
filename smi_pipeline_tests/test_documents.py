"""The documents say what is there: a setting, target, command or column nobody wrote about fails here."""

import re

import pytest
import yaml
from smi import PROJECT
from typer.main import get_command

from smi_pipeline.cli import app
from smi_pipeline.lake.connection import Lake
from smi_pipeline.registry.inputs import EditionRule
from smi_pipeline.registry.load import parse_editions, read_registry
from smi_pipeline.registry.models import PLATFORMS, Account, City
from smi_pipeline.sandbox.plan import (
    ACTIONS,
    ENDPOINTS,
    FacebookBehaviour,
    GraphLimits,
    InstagramBehaviour,
    TikTokBehaviour,
    TikTokLimits,
    XBehaviour,
    XLimits,
    YouTubeLimits,
    parse_plan,
)
from smi_pipeline.settings import Settings

DOCUMENTS = [*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md"), *PROJECT.glob("dbt_like_sql/*.md")]


def text(*names):
    return "\n".join((PROJECT / name).read_text() for name in names)


def test_every_setting_is_in_the_example_and_explained():
    for name in Settings.model_fields:
        variable = f"SMI_{name.upper()}"
        assert re.search(rf"^#? ?{variable}=", text(".env.example"), re.MULTILINE), variable
        assert variable in text("docs/operations.md"), variable


def test_the_example_has_no_setting_that_does_not_exist():
    known = {f"SMI_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"^#? ?(SMI_\w+)=", text(".env.example"), re.MULTILINE)) == known


def test_every_make_target_that_a_user_needs_is_in_the_documents():
    targets = re.findall(r"^([a-z-]+):.*##", text("Makefile"), re.MULTILINE)
    assert {"setup", "demo", "test", "check", "dev"} <= set(targets)
    written = text("README.md", "CONTRIBUTING.md")
    for target in set(targets) - {"help", "clean"}:
        assert f"make {target}" in written, target


def test_every_command_is_in_the_documents():
    written = text("README.md", "docs/operations.md", "docs/registry.md", "docs/datasets.md", "CONTRIBUTING.md")
    for name in get_command(app).commands:
        assert re.search(rf"\bsmi (--\w+ \S+ )*{name}\b|make {name}\b", written), name


def test_every_column_of_a_registry_is_explained():
    for column in {*City.model_fields, *Account.model_fields, *EditionRule.model_fields}:
        assert column in text("docs/registry.md"), column


def test_the_registry_template_is_one():
    registry = read_registry(PROJECT / "docs" / "registry_template")
    assert registry.cities
    assert {account.platform for account in registry.accounts} < set(PLATFORMS)


def test_the_template_withholds_no_ranks_and_the_documents_example_is_a_file_that_is_accepted():
    """Whoever copies the template unread must not publish a month without ranks."""
    assert {rule.ranks for rule in parse_editions(text("docs/registry_template/editions.csv"))} == {"shown"}
    example = re.search(r"^    (month,ranks.*)\n    (.*)\n", text("docs/registry.md"), re.MULTILINE)
    [rule] = parse_editions("\n".join(example.groups()))
    assert (rule.month, rule.ranks) == ("2025-10", "withheld")


def test_every_platform_has_its_page_of_sources():
    for platform in PLATFORMS:
        page = text(f"docs/sources/{platform}.md")
        assert "Not verified" in page


def test_every_link_between_documents_leads_somewhere():
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
            if not target.startswith("http"):
                assert (document.parent / target).exists(), f"{document.name}: {target}"


@pytest.fixture(scope="module")
def columns(whole):
    with Lake.of(whole).read() as cursor:
        return cursor.execute(
            "select schema_name || '.' || table_name, column_name from duckdb_columns()"
            " where database_name = 'lake' and schema_name in ('metrics', 'index')"
        ).fetchall()


def test_every_column_users_query_is_explained(columns):
    sections = dict(re.findall(r"^### ([^\n]+)\n(.*?)(?=^##|\Z)", text("docs/tables.md"), re.MULTILINE | re.DOTALL))
    assert len({table for table, _ in columns}) == 20
    for table, column in columns:
        assert re.search(rf"^\| {column} \| [^|]+ \| [^|]+", sections[table], re.MULTILINE), f"{table}.{column}"


def test_the_sandboxs_fault_file_is_described_whole():
    written = text("docs/sandbox.md")
    words = [*ACTIONS, *(name for names in ENDPOINTS.values() for name in names)]
    for model in (XLimits, YouTubeLimits, TikTokLimits, GraphLimits):
        words += model.model_fields
    for model in (XBehaviour, FacebookBehaviour, InstagramBehaviour, TikTokBehaviour):
        words += model.model_fields
    assert [word for word in words if not re.search(rf"\b{word}\b", written)] == []
    named = set(re.findall(r"do: (\w+)", written))
    assert named <= set(ACTIONS)
    example = re.search(r"```yaml\n(.*?)```", written, re.DOTALL)
    parse_plan(yaml.safe_load(example[1]), "docs/sandbox.md")
