# `make` alone lists the targets. Python 3.11 is all that is needed.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
CLIENTS := .venv-conformance
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
CLIENTS_PIP := $(CLIENTS)/bin/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help setup demo dev check conformance test test-long test-real test-crash test-bounds coverage lock clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed ($(PYTHON) was not found); give its path with PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.txt pyproject.toml | $(BIN)/python
	$(PIP) install --require-hashes --only-binary :all: -r requirements.txt
	$(PIP) install --no-deps --no-build-isolation --no-index -e .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	$(PIP) install --require-hashes --only-binary :all: -r requirements-dev.txt
	@touch $@

# The clients' own environment: what they need must never decide what the product is tested with. One of them has no wheel
# and is built here, with the setuptools of the locked list and not with what a registry has today.
$(CLIENTS)/.installed: requirements-conformance.txt requirements.txt | $(BIN)/python
	$(BIN)/python -m venv --clear $(CLIENTS)
	sed -n '/^setuptools==/,/[^\\]$$/p' requirements.txt > $(CLIENTS)/setuptools.txt
	$(CLIENTS_PIP) install --require-hashes --only-binary :all: -r $(CLIENTS)/setuptools.txt
	$(CLIENTS_PIP) install --require-hashes --only-binary :all: --no-binary tiktokresearchapi --no-build-isolation -r requirements-conformance.txt
	@touch $@

setup: $(VENV)/.installed-dev ## install everything into .venv, from the locked lists

demo: $(VENV)/.installed ## two months of the bundled scenario end to end, no token needed
	$(BIN)/smi demo

dev: $(VENV)/.installed ## sandbox and Dagster UI together, on the demo lake (Ctrl-C stops both)
	exec $(BIN)/smi dev

check: setup ## ruff, types, import contracts (seconds)
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo > .import-linter.log 2>&1 || { cat .import-linter.log; rm -f .import-linter.log; exit 1; }
	@rm -f .import-linter.log

conformance: $(VENV)/.installed $(CLIENTS)/.installed ## real API clients read a month from the sandbox, in an environment of their own
	$(CLIENTS)/bin/python -m pytest -c smi_pipeline_tests/conformance/pytest.ini smi_pipeline_tests/conformance --python $(abspath $(BIN))/python

test: check ## check, then the tests
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-long: setup ## what takes minutes: a year unattended, editions' accidents
	$(BIN)/python -m pytest -n 2 --dist loadfile -m long

coverage: setup ## the tests with coverage, 85 % at least
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --cov --cov-report=term

test-real: setup ## every month of the recorded posts in ../shared/realdata (the better part of an hour)
	$(BIN)/python -m pytest -m real

test-crash: setup ## kill -9 at a hundred points on both kinds of lake (a quarter of an hour)
	$(BIN)/python -m pytest -n 2 -m "crash or not crash" smi_pipeline_tests/lake/test_lake_killed.py

test-bounds: setup ## two thousand histories of a lake, twenty of large months, compared with plain copies (an hour)
	SMI_TESTS_EXAMPLES=2000 SMI_TESTS_LARGE_EXAMPLES=20 $(BIN)/python -m pytest -n 2 smi_pipeline_tests/lake/test_lake_bounds_property.py

lock: ## write the locked lists anew (needs uv)
	uv pip compile --python-version 3.11 --universal --generate-hashes --no-strip-extras --no-emit-index-url --no-emit-find-links --no-annotate --no-header -q pyproject.toml -o requirements.txt
	uv pip compile --python-version 3.11 --universal --generate-hashes --no-strip-extras --no-emit-index-url --no-emit-find-links --no-annotate --no-header -q pyproject.toml --extra dev -c requirements.txt -o requirements-dev.txt
	uv pip compile --python-version 3.11 --universal --generate-hashes --no-strip-extras --no-emit-index-url --no-emit-find-links --no-annotate --no-header -q pyproject.toml --extra postgres -c requirements.txt -o requirements-postgres.txt
	uv pip compile --python-version 3.11 --universal --generate-hashes --no-strip-extras --no-emit-index-url --no-emit-find-links --no-annotate --no-header -q --group conformance -c requirements.txt -c requirements-dev.txt -o requirements-conformance.txt

clean: ## remove both environments and caches; lakes stay
	rm -rf $(VENV) $(CLIENTS) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* *.egg-info
