# `make` alone lists the targets. Nothing here needs root or writes outside this folder and the user's caches;
# only `make test`, run as root, installs what is missing from the operating system (requirements/debian.txt).
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
PACKAGES := $(patsubst %/__init__.py,%,$(wildcard */__init__.py))
SCRIPTS = $(shell git ls-files '*.sh' .ci)
YAMLS = $(shell git ls-files '*.yml' '*.yaml')
READY := .venv/requirements.stamp .venv/package.stamp

# One test run at a time: with COVER=1 it leaves its coverage in build/coverage.
PYTEST = $(if $(COVER),$(BIN)/coverage run -m pytest,$(BIN)/pytest) $(PROCESSES) --durations 15 --durations-min 5 $(PYTEST_ARGS)

##@ Two commands

.PHONY: demo
demo: setup ## Everything on one machine, live, until Ctrl-C. LAKE=folder|minio DATA=folder of the Kaggle files RATE=changes/s
	@$(BIN)/finlake demo $(if $(LAKE),--lake $(LAKE)) $(if $(DATA),--data "$(DATA)") $(if $(RATE),--rate $(RATE))

.PHONY: test
test: ## Every check and test that needs no Docker, some 65 minutes on 2 cores
	@.ci/prerequisites install
	@$(MAKE) setup
	@rm -rf build/coverage
	@COVER=1 .ci/stages lint types imports generated supply unit spark integration browser test-bi test-airflow coverage

##@ Environment

.PHONY: setup
setup: $(READY) ## Make .venv with the pinned packages; does nothing when it is up to date

.PHONY: doctor
doctor: ## Say what this machine has, what is missing, and how to get it
	@.ci/prerequisites show
	@if [ -x $(BIN)/finlake ]; then $(BIN)/finlake doctor; else echo "next: make setup"; fi

.PHONY: lock
lock: $(READY) ## Pin the requirements of pyproject.toml again. UPGRADE=1 takes the newest versions
	@$(LOCK) $(if $(UPGRADE),--upgrade) requirements/bootstrap.in -o requirements/bootstrap.txt
	@$(LOCK) $(if $(UPGRADE),--upgrade) requirements/jre.in -o requirements/jre.txt
	@$(LOCK) $(if $(UPGRADE),--upgrade) requirements/superset.in -o requirements/superset.txt
	@$(LOCK) $(if $(UPGRADE),--upgrade) requirements/airflow.in -o requirements/airflow.txt
	@$(LOCK) $(if $(UPGRADE),--upgrade) pyproject.toml --all-extras -o requirements/dev.txt
	@$(LOCK) pyproject.toml --extra stream --extra models --extra api --extra tracing --extra forecasts -c requirements/dev.txt -o requirements/runtime.txt
	@$(LOCK) pyproject.toml --extra dashboard --extra reports -c requirements/dev.txt -o requirements/dashboard.txt

.PHONY: clean
clean: ## Remove what builds and tests leave behind; .venv and all data stay
	@rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis spark-warehouse metastore_db derby.log
	@find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +

.PHONY: clean-data
clean-data: ## Stop the embedded stack and delete all its data, for good
	@if [ -x $(BIN)/finlake ]; then $(BIN)/finlake down; fi
	@rm -rf "$${FINLAKE_HOME:-.finlake}"

##@ Checks

.PHONY: lint
lint: $(READY) ## Style and likely bugs: Python, shell scripts, YAML
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/shellcheck $(SCRIPTS)
	@$(BIN)/yamllint --strict $(YAMLS)

.PHONY: fmt
fmt: $(READY) ## Write the Python files as the formatter wants them
	@$(BIN)/ruff check --fix --select I,UP .
	@$(BIN)/ruff format .

.PHONY: types
types: $(READY) ## Types, strictly
	@$(BIN)/mypy $(PACKAGES) dags tests

.PHONY: imports
imports: $(READY) ## Who may import whom
	@$(BIN)/lint-imports --no-logo

.PHONY: generate
generate: $(READY) ## Render everything that comes from contracts, features, routes and the code of the boards
	@$(BIN)/finlake schemas generate
	@$(BIN)/finlake features generate
	@$(BIN)/finlake api generate
	@$(BIN)/python -m infra.grafana.boards

.PHONY: generated
generated: $(READY) ## Fail when a rendered file differs from what it comes from
	@$(BIN)/finlake schemas check
	@$(BIN)/finlake features check
	@$(BIN)/finlake api check

.PHONY: supply
supply: $(READY) ## What it is made of, with licences (build/supply); fails on a licence that is not accepted, or a secret
	@$(BIN)/python -m tests.support.supply build/supply
	@cp .secrets.baseline build/supply/known-secrets.json # where lines that only moved are noted, with exit code 3
	@$(BIN)/detect-secrets-hook --baseline build/supply/known-secrets.json $$(git ls-files ':!.secrets.baseline') || [ $$? = 3 ]

.PHONY: audit
audit: $(READY) ## Known vulnerabilities of the pinned packages, asked of the Python Package Index; no part of `make test`
	@$(BIN)/pip-audit --strict --disable-pip --require-hashes -r requirements/dev.txt

##@ Tests

.PHONY: unit
unit: PROCESSES = -n 2 --dist loadfile --no-loadscope-reorder
unit: $(READY) ## Tests of the code alone, in two processes; PYTEST_ARGS="-n 0 --pdb" takes one
	@$(PYTEST) -m "not (spark or integration or chaos or browser or bi or airflow or benchmark)"

.PHONY: spark
spark: $(READY) ## Tests with one warm Spark session
	@$(PYTEST) -m spark

.PHONY: integration
integration: $(READY) ## Tests on the real components, chaos and security among them
	@$(PYTEST) -m "integration or chaos"

.PHONY: chaos
chaos: setup ## Break everything, five times each, and prove the tables. CHAOS_SEED=n repeats the attacks of a run
	@CHAOS_LONG=1 $(BIN)/pytest --timeout 7200 $(PYTEST_ARGS) tests/chaos

.PHONY: soak
soak: setup ## Steady traffic for half an hour: what grows? MINUTES= RATE=changes/s SEED=
	@$(BIN)/python -m tests.chaos.soak --minutes $(or $(MINUTES),30) --rate $(or $(RATE),1000) --seed $(or $(SEED),1)

.PHONY: browser
browser: $(READY) ## Tests of the dashboard in chromium
	@$(PYTEST) -m browser

.PHONY: test-bi
test-bi: $(READY) ## Tests of what BI tools ask: every gold table in four engines, Trino's roles, Flight
	@$(PYTEST) -m bi

.PHONY: test-airflow
test-airflow: $(READY) ## Tests of Airflow: what every DAG is made of, and a run of each against one stack
	@$(PYTEST) -m airflow

.PHONY: coverage
coverage: $(READY) ## Report what the tests reached (after `make test`, or COVER=1 with any of the above)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage html --quiet --fail-under=0
	@$(BIN)/coverage report

.PHONY: notebook
notebook: $(READY) ## Run the analysts' notebook over the lake of the settings, into build/explore_gold.ipynb
	@mkdir -p build
	@$(BIN)/jupyter-execute --Application.log_level=WARN --output=../build/explore_gold notebooks/explore_gold.ipynb

.PHONY: bench
bench: setup ## Print figures as a table: WHAT="freshness|throughput|alerts|verify|growth|query|forecast ..." (docs/benchmarks.md)
ifdef WHAT
	@$(BIN)/finlake bench $(WHAT)
else
	@$(BIN)/finlake bench query --transactions 1000000
	@$(BIN)/finlake bench growth --rows 100000,1000000 --batches 60
endif

.PHONY: bench-models
bench-models: setup ## Frauds told by the Fraud Detection Handbook's protocol: DATA=its Parquet file START=first day of training
	@$(BIN)/finlake bench models $(if $(DATA),--data "$(DATA)") $(if $(START),--start "$(START)")

##@ Help

.PHONY: help
help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  make %-13s%s\n", $$1, $$2 }' Makefile

# ── How .venv is made ──────────────────────────────────────────────────────────────────────────────────
# pip brings the fast installer and the build backend, checked by hash; the installer brings the rest. Builds
# are not isolated, so that they use that pinned backend and nothing else.

QUIET = $(if $(MAKE_TERMOUT),,--quiet)
UV = $(BIN)/uv
LOCK = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock"

.venv/requirements.stamp: requirements/bootstrap.txt requirements/dev.txt
	@.ci/prerequisites check run
	@[ -x $(BIN)/python ] || python3.11 -m venv .venv
	@[ -x $(BIN)/uv ] || { \
	  echo "making .venv (once; some hundred megabytes to fetch)"; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt; }
	@$(UV) pip install $(QUIET) --python $(BIN)/python --require-hashes --no-build-isolation -r requirements/bootstrap.txt -r requirements/dev.txt
	@touch $@

.venv/package.stamp: .venv/requirements.stamp pyproject.toml
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@
