PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo test check format test-notebook bench smoke-sd15

# The four stages on the embedded subject and base, then one screen of results.
demo: .venv/installed
	dvc repro
	gentra-lora summary

test: .venv/installed
	pytest

# The notebook as Colab would run it, on Python 3.13 with Colab's packages (5 GB in .venv-colab, made once); minutes.
test-notebook:
	tests/colab/make_venv
	.venv-colab/bin/python tests/colab/run_notebook.py

# What every commit must pass.
check: .venv/installed
	ruff check .
	ruff format --check .
	pytest -m "not slow"

# A base of Stable Diffusion 1.5's real shape through all stages: ten minutes, 12 GB of memory.
smoke-sd15: .venv/installed
	pytest -s tests/smoke_sd15.py

# Ratios and memory, not for CI: writes bench/*.json.
bench: .venv/installed
	python bench/cache.py
	python bench/train.py

format: .venv/installed
	ruff check --fix .
	ruff format .

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[serve,dev]'
	touch $@
