# `make help` lists the targets. Set-up is a no-op when nothing changed, so the others begin with it.

ifndef PYTHON
PYTHON := $(shell for p in python3.11 python3.12 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null \
	&& { echo $$p; break; }; done)
endif
BIN := .venv/bin
CONFIG ?= conf/runs/python-docs.yaml
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: setup run test test-full test-cluster test-runtimes lint format reference bench bench-nightly clean help

setup: ## make .venv with all that ringlake needs (again: about a second)
	@test -n "$(PYTHON)" || { echo "no Python 3.11 or 3.12 on PATH" \
		"[Debian/Ubuntu: apt-get install python3.11 python3.11-venv python3.11-dev]" \
		"[macOS: brew install python@3.11]" >&2; exit 4; }
	@$(PYTHON) -m pipelines.setup

run: setup ## set up if needed, then run CONFIG from raw text to report
	$(BIN)/ringlake run $(CONFIG) $(ARGS)

test: setup ## set up if needed, then run the tests; ARGS="tests/setup -k cache" for some of them
	$(BIN)/python -m tests $(ARGS)

test-full: setup ## the same and the tests that take long and seldom break
	$(BIN)/python -m tests --full $(ARGS)

test-cluster: setup ## run the whole main job on a real HDFS and YARN of this machine: half an hour, 25 GB of disk
	$(BIN)/python -m pytest -m full -s tests/cluster $(ARGS)

test-runtimes: setup ## run the small main job, the launcher and the notebooks with the versions of a Databricks runtime
	$(BIN)/python -m tests.runtimes $(ARGS)

lint: setup ## style, types and the layers' imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## rewrite the code in the house's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

reference: setup ## write docs/reference/ from the code
	$(BIN)/python -m docs

bench: setup ## run the benchmarks; ARGS names some of them, e.g. ARGS=size for 1 and 3 GB
	$(BIN)/python -m benchmarks $(ARGS)

bench-nightly: setup ## 10 GB from ingest to training, and every skewed shape: some hours, 60 GB of disk
	$(BIN)/python -m benchmarks size --gigabytes 1 3 10 --results build/size.jsonl
	$(BIN)/python -m benchmarks size --cluster --gigabytes 3 --results build/size.jsonl
	@for shape in one-cluster large-documents many-files one-gzip three-words; do \
	$(BIN)/python -m benchmarks size --shape $$shape --gigabytes 1 --results build/size.jsonl || exit 1; done

clean: ## remove what runs and builds left here; .venv and the user's cache stay
	rm -rf lake build dist spark-warehouse metastore_db derby.log *.egg-info
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
