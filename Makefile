# Two commands do all the set-up on a machine with only Python 3.11 and make:
#
#   make demo    fit, explain and save a network on data that ships with scikit-learn
#   make test    run the tests (WITH_TORCH=1 installs torch and runs those that need it)
#
# For work on solvenet itself: setup, lint, format, types, docs, clean.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
WITH_TORCH ?= 0
PYTEST_ARGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
# One thread a worker: the workers fill the machine, and results do not depend on it.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1

TEST_STAMPS := $(VENV)/.test
ifneq ($(WITH_TORCH),0)
TEST_STAMPS += $(VENV)/.torch
endif

.PHONY: demo test setup lint format types docs clean
.DEFAULT_GOAL := test

demo: $(VENV)/.demo
	$(BIN)/solvenet demo

test: $(TEST_STAMPS)
	SCIPY_ARRAY_API=1 $(ONE_THREAD) $(BIN)/python -m pytest --numprocesses=auto --maxprocesses=8 $(PYTEST_ARGS)

setup: $(TEST_STAMPS) $(VENV)/.docs

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.test
	$(BIN)/mypy

docs: $(VENV)/.docs
	$(ONE_THREAD) $(BIN)/sphinx-build --nitpicky --fail-on-warning --keep-going -q docs docs/_build/html
	@echo "docs: docs/_build/html/index.html"

clean:
	rm -rf $(VENV) docs/_build docs/auto_examples docs/generated docs/sg_execution_times.rst
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# Each stamp is an installation that is done; a change of pyproject.toml repeats it.
$(BIN)/python:
	@echo "Creating $(VENV) with $(PYTHON)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "solvenet needs Python 3.11 or newer: make PYTHON=/path/to/python3.11")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml | $(BIN)/python
	@echo "Installing solvenet (once, about a minute)"
	@$(PIP) --editable '.[cli,plots]'
	@touch $@

$(VENV)/.test: pyproject.toml | $(BIN)/python
	@echo "Installing solvenet and its tests (once, a few minutes)"
	@$(PIP) --editable '.[test,onnx,dask,disk]'
	@touch $@ $(VENV)/.demo

# Not the newest: that would bring several GB of CUDA where a plain one is at hand.
$(VENV)/.torch: $(VENV)/.test
	@echo "Installing torch (once)"
	@$(PIP) 'torch==2.13.0'
	@touch $@

$(VENV)/.docs: pyproject.toml | $(BIN)/python
	@echo "Installing solvenet and its documentation tools (once)"
	@$(PIP) --editable '.[docs,cli]'
	@touch $@
