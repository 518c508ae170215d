# The doors: demo, test, check (lint, types, tests), bench, fuzz. Each works from a fresh clone.
PYTHON ?= python3
EXTRAS ?= test
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check lint types docs bench fuzz clean

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# One stamp for each set of extras, so that "make demo" needs none of the test tools.
$(VENV)/.run: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/.$(EXTRAS): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$(EXTRAS)]'
	touch $@ $(VENV)/.run

demo: $(VENV)/.run
	$(BIN)/mapiready demo --output .

# Three at a time also on two cores: much of the time is waiting, for time-outs that are meant.
test: $(VENV)/.$(EXTRAS)
	$(BIN)/python -m pytest -n 3 --dist worksteal

lint: $(VENV)/.$(EXTRAS)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.$(EXTRAS)
	$(BIN)/mypy

check: lint types test

docs: $(VENV)/.run
	$(BIN)/python -m checker.catalogue docs/checks

bench: $(VENV)/.$(EXTRAS)
	$(BIN)/python -m benchmarks

fuzz: $(VENV)/.$(EXTRAS)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m fuzz --hypothesis-profile=nightly --timeout=0

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
