# From nothing but Python 3.11-3.13 and make. `make` alone lists what there is.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: run quick test test-matrix lab check rooms format bench generated lock clean help .venv

PY := .venv/bin/python
export PYTHON
# Sigap speaks with the same bytes wherever it is started from.
export PYTHONUTF8 := 1

# One worker a core, at most four: each may hold real database servers of its own.
WORKERS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); [ "$$n" -gt 4 ] && n=4; echo $$n)
# A module's tests share their servers, so they stay together.
DIST ?= loadscope
TESTS ?= tests
# What is played on the versions the machine does not have itself.
MATRIX ?= tests/lab $(wildcard tests/probes/mysql/test_*mysql9_live.py) tests/probes/mysql/test_versions_live.py
ARGS ?=
# mypy refuses a folder without a module
SOURCES = $(foreach room,agent probes files incidents dashboards tests benchmarks tools,\
            $(if $(shell find $(room) -name '*.py' -print -quit 2>/dev/null),$(room)))

run: ## start the demo: a real database, agent, desk and pages on this machine (ARGS="--help")
	@tools/venv run
	@exec .venv/bin/sigap demo $(ARGS)

quick: .venv ## the tests that start no server, within two minutes (same settings as test)
	@tools/test-needs
	$(PY) -m pytest $(TESTS) --quick -n $(WORKERS) --dist $(DIST) $(ARGS)

test: .venv ## run every test (TESTS=tests/probes ARGS="-k lag" WORKERS=0 DIST=load)
	@tools/test-needs
	$(PY) -m pytest $(TESTS) -n $(WORKERS) --dist $(DIST) $(ARGS)

lab: .venv ## the fault lab alone: real faults on real servers, and its table (ARGS="-k locks")
	@tools/test-needs
	$(PY) -m pytest tests/lab -n $(WORKERS) --dist $(DIST) $(ARGS)

test-matrix: .venv ## the same on PostgreSQL 13 to 18, MariaDB 10.5 to 11.8, MySQL 9 and newer PgBouncers, where they can be had
	@tools/test-needs
	SIGAP_TEST_MATRIX=1 $(PY) -m pytest $(MATRIX) -n $(WORKERS) --dist $(DIST) $(ARGS)

check: .venv ## lint, format, types, translations and the import graph, without running the tests
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy $(SOURCES)
	$(PY) -m tools.translations --check
	$(PY) -m pytest tests/test_house.py -q

rooms: .venv ## boxes and arrows per room, cycles, crowded rooms, long classes and functions
	@$(PY) -m tools.rooms $(ARGS)

format: .venv ## put the code into the house's form
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

bench: .venv ## measure what the README's figures come from (ARGS="--list")
	@tools/test-needs
	$(PY) -m benchmarks $(ARGS)

generated: .venv ## write anew what is made from the code: docs, dashboards, translations
	$(PY) -m tools.reference
	$(PY) -m tools.dashboards
	$(PY) -m tools.translations

lock: ## remake requirements/*.txt from pyproject.toml (ARGS=--upgrade for the newest)
	tools/lock $(ARGS)

clean: ## remove .venv and every cache; nothing of yours
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.venv:
	@tools/venv dev
