# Needs only Python 3.11-3.13 and make. `make` alone lists the targets.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: run quick test test-matrix lab check rooms format bench generated lock clean help .venv

PY := .venv/bin/python
export PYTHON
# The same locale everywhere, so that output has the same bytes.
export PYTHONUTF8 := 1

# One worker per core, at most four: each may run its own real database servers.
WORKERS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); [ "$$n" -gt 4 ] && n=4; echo $$n)
# A module's tests share their servers, so they run in one worker.
DIST ?= loadscope
TESTS ?= tests
# Tests that run on database versions the machine does not have itself.
MATRIX ?= tests/lab $(wildcard tests/probes/mysql/test_*mysql9_live.py) tests/probes/mysql/test_versions_live.py
ARGS ?=
# mypy refuses a folder without a module
SOURCES = $(foreach room,agent probes files incidents dashboards tests benchmarks tools,\
            $(if $(shell find $(room) -name '*.py' -print -quit 2>/dev/null),$(room)))

run: ## start the demo: a real database, agent, desk and pages on this machine (ARGS="--help")
	@tools/venv run
	@exec .venv/bin/sigap demo $(ARGS)

quick: .venv ## run the tests that start no server, within two minutes (same settings as test)
	@tools/test-needs
	$(PY) -m pytest $(TESTS) --quick -n $(WORKERS) --dist $(DIST) $(ARGS)

test: .venv ## run every test (TESTS=tests/probes ARGS="-k lag" WORKERS=0 DIST=load)
	@tools/test-needs
	$(PY) -m pytest $(TESTS) -n $(WORKERS) --dist $(DIST) $(ARGS)

lab: .venv ## run only the fault lab: real faults on real servers, with a result table (ARGS="-k locks")
	@tools/test-needs
	$(PY) -m pytest tests/lab -n $(WORKERS) --dist $(DIST) $(ARGS)

test-matrix: .venv ## run the fault lab on PostgreSQL 13 to 18, MariaDB 10.5 to 11.8, MySQL 9 and newer PgBouncers, if available
	@tools/test-needs
	SIGAP_TEST_MATRIX=1 $(PY) -m pytest $(MATRIX) -n $(WORKERS) --dist $(DIST) $(ARGS)

check: .venv ## lint, format, types, translations and the import graph, without running the tests
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy $(SOURCES)
	$(PY) -m tools.translations --check
	$(PY) -m pytest tests/test_house.py -q

rooms: .venv ## print modules and imports per package, cycles, large packages, long classes and functions
	@$(PY) -m tools.rooms $(ARGS)

format: .venv ## format the code
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

bench: .venv ## run the benchmarks (ARGS="--list")
	@tools/test-needs
	$(PY) -m benchmarks $(ARGS)

generated: .venv ## regenerate docs, dashboards and translations from the code
	$(PY) -m tools.reference
	$(PY) -m tools.dashboards
	$(PY) -m tools.translations

lock: ## regenerate requirements/*.txt from pyproject.toml (ARGS=--upgrade for the newest)
	tools/lock $(ARGS)

clean: ## remove .venv and all caches
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.venv:
	@tools/venv dev
