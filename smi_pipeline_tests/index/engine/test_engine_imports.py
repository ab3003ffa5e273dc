"""The engine can be taken out and used alone."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest
from smi import PROJECT

ENGINE = PROJECT / "smi_pipeline" / "index" / "engine"
MODULES = sorted(path.stem for path in ENGINE.glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_numpy_the_standard_library_and_the_engine(module):
    """The import contract lists what is there today; this also holds for what comes tomorrow."""
    found = set()
    for node in ast.walk(ast.parse((ENGINE / f"{module}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module)
    foreign = {name for name in found if name.split(".")[0] not in sys.stdlib_module_names | {"numpy"}}
    assert all(name.startswith("smi_pipeline.index.engine.") for name in foreign)


def test_importing_all_of_it_loads_no_frame_no_database_and_no_dagster():
    loaded = "import sys; " + "; ".join(f"import smi_pipeline.index.engine.{module}" for module in MODULES)
    loaded += "; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    command = [sys.executable, "-W", "error", "-c", loaded]
    names = subprocess.run(command, check=True, capture_output=True, text=True, cwd=PROJECT).stdout.split()
    assert "numpy" in names
    assert not {"dagster", "duckdb", "pandas", "polars", "pydantic", "scipy"} & set(names)


def test_the_package_itself_is_empty():
    assert (ENGINE / "__init__.py").read_text(encoding="utf-8") == ""
