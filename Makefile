# Chronotope. `make help` lists everything.
.DEFAULT_GOAL := help
.PHONY: help run again serve ui test test-all lint benchmarks speed clean

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

help: ## Show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.installed: requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing from requirements.lock (a few minutes, once) …"
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@$(BIN)/pip check
	@touch $@

run: $(VENV)/.installed ## Learn the simulated city end to end: validate, train, judge, promote
	@chronotope run

serve: $(VENV)/.installed ## Serve the champion on http://127.0.0.1:3000
	@chronotope serve

ui: $(VENV)/.installed ## Prefect's page on :4200 and MLflow's on :5000, on loopback; Ctrl-C ends both
	@chronotope ui

test: $(VENV)/.installed ## What CI runs: all but the slow tests (≤ 20 minutes on 2 cores)
	@OMP_NUM_THREADS=1 python -m pytest -n 2 --dist loadfile -m "not slow" -q

test-all: $(VENV)/.installed ## Everything: the whole fault matrix, load, soak (≤ 80 minutes)
	@OMP_NUM_THREADS=1 python -m pytest -n 2 --dist loadfile -q

lint: $(VENV)/.installed ## ruff and mypy
	@ruff check . && ruff format --check . && mypy

benchmarks: $(VENV)/.installed ## Render docs/benchmarks.md; with DATA=folder, run first what is not stored (hours)
	@$(if $(DATA),python -m benchmarks.suite --data $(DATA))
	@python -m benchmarks.page

SPEED := ingest features validation simulator training losses evaluation
speed: $(VENV)/.installed ## Measure speed on this machine again, and render the page
	@python -m benchmarks.suite --again $(SPEED)
	@python -m benchmarks.page

clean: ## Remove what runs have made in the demonstration workspace (not the environment)
	@rm -rf .chronotope data/events data/events.dvc data/catalogue data/catalogue.dvc data/quarantine data/validated \
	  data/features models blends reports promotions dvc.lock code.json
