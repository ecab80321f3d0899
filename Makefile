# The commands a person types. `make help` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

PIP_INSTALL = $(BIN)/python -m pip install --disable-pip-version-check

# bjdata and py-ubjson serve a serialiser that nobody here speaks. Built without their C
# extensions they need no compiler, and bjdata's extension complains loudly under NumPy 2.
# Not from pip's cache, which may hold them built otherwise.
INSTALL_PURE = PYBJDATA_NO_EXTENSION=1 PYUBJSON_NO_EXTENSION=1 $(PIP_INSTALL) --quiet \
	--no-cache-dir --no-deps --no-binary bjdata,py-ubjson \
	$(shell grep -E '^(bjdata|py-ubjson)==' requirements.lock)

# Upstream's interpreter, if `make upstream` has been run.
UPSTREAM = $(wildcard .venv-upstream/bin/python)

.DEFAULT_GOAL := help
.PHONY: help demo test upstream lint format bench reference lock clean

help:  ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; choose one with: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
		|| { echo "Python's venv module is incomplete; on Debian: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) --quiet --upgrade pip wheel

# A stamp a set of packages: nothing is installed twice, everything again when its list changes.
$(VENV)/run.stamp: pyproject.toml requirements.lock | $(BIN)/python
	@echo "Installing into $(VENV) (a minute or two, once) ..."
	$(INSTALL_PURE)
	$(PIP_INSTALL) -r requirements.lock
	$(PIP_INSTALL) --quiet --no-deps --editable .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock $(VENV)/run.stamp
	$(PIP_INSTALL) -r requirements-dev.lock
	@touch $@

demo: $(VENV)/run.stamp  ## Run everything here with a simulated instrument; Ctrl-C ends it
	@exec $(BIN)/python -m demo

test: $(VENV)/dev.stamp  ## Run the tests that need no Docker
	$(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)

# Upstream's package has the import name of ours: it gets an environment of its own.
upstream: $(BIN)/python  ## Install upstream's packages, which some tests take as peers
	$(PYTHON) -m venv .venv-upstream
	.venv-upstream/bin/python -m pip install --disable-pip-version-check --quiet -r tests/requirements-upstream.txt

lint: $(VENV)/dev.stamp  ## Check style, types and who imports whom
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/mypy tools docker/grafana docker/dependencies.py
	$(BIN)/lint-imports

format: $(VENV)/dev.stamp  ## Put the code into its form
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(VENV)/dev.stamp  ## Measure ratios against peers and limits
	$(BIN)/python bench/feed_publish.py $(UPSTREAM)
	$(BIN)/python bench/aggregator_frames.py $(if $(UPSTREAM),--upstream $(UPSTREAM))
	$(BIN)/python bench/sisock_ingest.py
	$(BIN)/python bench/sisock_query.py
	$(BIN)/python bench/archive_query.py
	$(BIN)/python bench/lakeshore.py $(UPSTREAM)

reference: $(VENV)/dev.stamp  ## Renew the pages and dashboards that are written by tools/
	$(BIN)/python tools/make_operations_reference.py
	$(BIN)/python tools/make_dashboards.py

lock: $(VENV)/dev.stamp  ## Renew the lock files from pyproject.toml
	$(BIN)/uv pip compile --quiet --no-header --python-version 3.11 pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --no-header --python-version 3.11 --extra dev -c requirements.lock \
		pyproject.toml -o requirements-dev.lock

clean:  ## Remove everything that was made here, but no data
	rm -rf $(VENV) .venv-upstream build dist .cache .mypy_cache .pytest_cache .ruff_cache .import_linter_cache \
		.hypothesis tests/output
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
