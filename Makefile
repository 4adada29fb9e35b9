PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo test check format bench

# The four stages on the embedded subject and base, then one screen of results.
demo: .venv/installed
	dvc repro
	gentra-lora summary

test: .venv/installed
	pytest

# What every commit must pass.
check: .venv/installed
	ruff check .
	ruff format --check .
	pytest -m "not slow"

# Ratios and memory, not for CI: writes bench/*.json.
bench: .venv/installed
	python bench/cache.py
	python bench/train.py sd15

format: .venv/installed
	ruff check --fix .
	ruff format .

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[serve,dev]'
	touch $@
