PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo demo-docs serve test test-service check lint format test-notebook bench smoke-sd15 lock

# On all cores; more than four workers take more memory than they save time.
PYTEST := pytest -n logical --maxprocesses 4 --dist loadgroup

# The four stages on the embedded subject and base, then one screen of results.
demo: .venv/installed
	dvc repro
	gentra-lora summary

# What README.md shows, from the last `make demo`: docs/demo/ and the table.
demo-docs: .venv/installed
	python bench/demo_docs.py

# The page and the API at http://127.0.0.1:8000, by the weights that `make demo` has trained.
serve: .venv/installed
	gentra-lora serve --weights models/sport_gentra_lora.safetensors --base models/nano-sd

test: .venv/installed
	$(PYTEST) -m "not load"

# The service under load on the nano base, 2,000 requests that nobody would write, its signals, its page in Chromium
# (left out, with a word, where there is no Chromium): nine minutes.
test-service: .venv/installed
	pytest -m load

# The notebook as Colab would run it, on Python 3.13 with Colab's packages (5 GB in .venv-colab, made once); minutes.
test-notebook:
	tests/colab/make_venv
	.venv-colab/bin/python tests/colab/run_notebook.py

# What every commit must pass.
check: lint
	$(PYTEST) -m "not slow and not load"

# Style and types.
lint: .venv/installed
	ruff check .
	ruff format --check .
	mypy

# A base of Stable Diffusion 1.5's real shape through all stages: ten minutes, 12 GB of memory.
smoke-sd15: .venv/installed
	pytest -s tests/smoke_sd15.py

# Ratios and memory, not for CI: writes bench/*.json.
bench: .venv/installed
	python bench/cache.py
	python bench/train.py
	python bench/activations.py
	python bench/serve.py
	python bench/evaluate.py

# What the Dockerfile installs: the newest versions within pyproject.toml, pinned. CUDA's own packages are left to torch,
# which asks for them itself where it needs them; nvidia-ml-py is none of them, dvclive asks for it everywhere.
lock:
	rm -rf .venv-lock
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet --disable-pip-version-check '.[serve]'
	.venv-lock/bin/pip freeze --all --exclude pip --exclude sport-gentra-lora \
		| sed -E 's/\+[a-z0-9.]+$$//; /^(cuda|nvidia|triton)/{/^nvidia-ml-py==/!d}' > requirements-serve.lock
	rm -rf .venv-lock build

format: .venv/installed
	ruff check --fix .
	ruff format .

.venv/installed: pyproject.toml
	@found=$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])'); case "$$found" in 3.11|3.12|3.13) ;; *) \
		echo "error: Python 3.11 to 3.13 is needed, and $(PYTHON) is $${found:-none}; name another one:" \
			"make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1 ;; esac
	$(PYTHON) -m venv .venv
	@echo "pip installs torch and the rest into .venv, gigabytes: some minutes without a word"
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[serve,dev]'
	touch $@
