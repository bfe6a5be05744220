# run    sets up what Relève itself needs, then plays a full disk on the simulated site, which Relève repairs
# test   the gate: lint, types, floors, tests; the same here and in CI
# lint   the gate without the tests
# collected  finds the tests, and keeps what was compiled
# bench  ratios against named peers; figures for people, never asserted
# soak   long runs that kill and starve the daemon
# lock   writes both lock files anew from pyproject.toml
# messages  extracts, merges and compiles what is said to people
# clean  removes everything that these made

PYTHON ?= python3
WORKERS ?= 6  # more than two cores have: many tests wait for real components
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-input
FLOORS := monitor probes alerts runbooks failover templates lab
LOCKING := .venv-lock
CATALOGUE := templates/locale
# Python keeps what it compiled, whoever calls make: else each worker and each command of a test compiles all anew.
export PYTHONDONTWRITEBYTECODE :=

.DELETE_ON_ERROR:
.PHONY: run test lint collected bench soak lock messages clean

run: $(VENV)/.run
	@$(BIN)/releve demo --scenario hmp-disk-full

# Types are looked at by one core; the other one compiles all tests meanwhile, which each worker would do by itself.
test:
	@$(MAKE) --no-print-directory --jobs=2 lint collected
	@$(BIN)/pytest -q -rs -n $(WORKERS) --dist worksteal

lint: $(VENV)/.test
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy $(FLOORS)
	@$(BIN)/lint-imports > $(VENV)/floors.txt || { cat $(VENV)/floors.txt; exit 1; }

collected: $(VENV)/.test
	@$(BIN)/pytest --collect-only -qq > $(VENV)/collected.txt || { tail -n 30 $(VENV)/collected.txt; exit 1; }

bench: $(VENV)/.run
	@for one in bench/*.py; do echo "$$one"; $(BIN)/python "$$one" || exit 1; done

soak: $(VENV)/.test
	@$(BIN)/pytest -q -p no:randomly -n 4 --dist worksteal soak
	@RELEVE_EVERY_WRITE=1 $(BIN)/pytest -q -n $(WORKERS) tests/scenarios/test_cut_runs.py

# Each set-up step leaves a stamp, so that the second time costs nothing.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed; name it: make PYTHON=python3.11"; exit 1; }
	@echo "Setting up $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.lock: requirements.lock | $(VENV)/.made
	@echo "Installing what Relève needs"
	@$(PIP) --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.run: pyproject.toml $(VENV)/.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.test: requirements-test.lock $(VENV)/.run
	@echo "Installing what its tests need"
	@$(PIP) --require-hashes -r requirements-test.lock
	@touch $@

# By version and hash, and from no named host: any mirror that serves the same files will do.
LOCK = $(LOCKING)/bin/pip-compile --quiet --allow-unsafe --generate-hashes --strip-extras --no-annotate --no-header \
	--no-emit-options --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --extra lab

EXTRAS = --extra mssql --extra postgres --extra routers --extra s3

# The tests' lock first: what its extras hold back (s3) has to hold in the other one too.
lock: $(LOCKING)/.made
	$(LOCK) --build-deps-for editable $(EXTRAS) --extra test --output-file requirements-test.lock pyproject.toml
	$(LOCK) --build-deps-for editable --constraint requirements-test.lock --output-file requirements.lock pyproject.toml

$(LOCKING)/.made:
	@$(PYTHON) -m venv $(LOCKING)
	@$(LOCKING)/bin/python -m pip install -qq --disable-pip-version-check pip-tools==7.6.2
	@touch $@

# The catalogue keeps its header: without the charset in it, gettext cannot read French.
messages: $(VENV)/.test
	@mkdir -p build
	@$(BIN)/pybabel --quiet extract --mapping babel.cfg --keywords say --no-location --sort-output --output build/releve.pot $(FLOORS)
	@$(BIN)/pybabel --quiet update --domain releve --input-file build/releve.pot --output-dir $(CATALOGUE) --no-fuzzy-matching --ignore-pot-creation-date
	@$(BIN)/pybabel --quiet compile --domain releve --directory $(CATALOGUE)

clean:
	@rm -rf $(VENV) $(LOCKING) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
