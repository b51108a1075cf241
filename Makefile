# Each target works first, alone, and again at once. What an environment needs is in pyproject.toml; what it gets
# exactly is in constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test reliability bench lint cookbook columns clean

demo: $(VENV)/installed
	$(BIN)/dimo-etl demo

# A module is one process's, so that what its tests share is made once; three, as some wait for a server to do its part.
test: $(VENV)/installed-test
	$(BIN)/python -m pytest --numprocesses 3 --dist loadscope --no-loadscope-reorder

# The long version of the tests that kill, refuse, damage and storm, and the figures of what was tried.
reliability: $(VENV)/installed-test
	RELIABILITY=long $(BIN)/python -m pytest --figures --override-ini timeout=14400 --numprocesses 2 --dist worksteal \
		tests/crash tests/lake tests/flatten tests/history tests/importing tests/api/test_hits.py tests/rival

lint: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# QUICK=1 runs every measurement at its smallest size.
bench: $(VENV)/installed-bench
	$(BIN)/python -m benchmarks $(if $(QUICK),--quick)

# The environment is made anew where what it should hold has changed.
$(VENV)/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	touch $@

$(VENV)/installed-test: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --editable '.[test]'
	touch $(VENV)/installed $@

# The answers in warehouse/README.md, from the queries in it.
cookbook: $(VENV)/installed-test
	$(BIN)/python -m tests.warehouse.cookbook

# What DuckDB says of the views' columns, for warehouse/columns.json.
columns: $(VENV)/installed-test
	$(BIN)/python -m tests.warehouse.asked_columns

$(VENV)/installed-bench: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --editable '.[test,bench]'
	touch $(VENV)/installed $(VENV)/installed-test $@

clean:
	rm -rf $(VENV)
