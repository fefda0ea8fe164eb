# Two commands on a fresh machine: `make demo` trains DG-SCT on the built-in world, `make test` runs the tests.
PYTHON ?= python3
BIN := .venv/bin
RECIPES := .venv/.recipes
DEV := .venv/.dev

.PHONY: demo test slow gpu bench lint types docs check clean

# one thread, as the figures of docs/recipes/ave.md: sums of two threads round otherwise
demo: $(RECIPES)
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/crossmodal ave fit

# worksteal: a process keeps neighbouring tests, so what a file prepares is made once, not by both
test: $(DEV)
	$(BIN)/python -m pytest -n 2 --dist worksteal

slow: $(DEV)
	$(BIN)/python -m pytest -m slow

gpu: $(DEV)
	$(BIN)/python -m pytest -m gpu

bench: $(DEV)
	$(BIN)/python -m benchmarks

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV)
	$(BIN)/mypy

docs: $(DEV)
	$(BIN)/mkdocs build --strict

check: test lint types docs

clean:
	rm -rf .venv build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/bin/python:
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --upgrade pip

$(RECIPES): .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install -q -e ".[recipes]"
	touch $@

$(DEV): .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install -q -e ".[dev]"
	touch $(RECIPES) $@
