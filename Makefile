# Each verb does all its own set-up; the environment is made once, in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MODEL ?= mini
ARGS ?=

.PHONY: evaluate test campaign lint clean

# torch goes in first: left to a dependency, it may bring several gigabytes of GPU libraries.
$(VENV)/installed: setup.py constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

evaluate: $(VENV)/installed
	$(BIN)/python evaluate_models.py $(MODEL) --data mini $(ARGS)

# Files go to the two processes in their order: xdist's own puts those of few tests last, and these
# are the longest.
test: $(VENV)/installed
	HF_HUB_OFFLINE=1 HF_EVALUATE_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

# Every command on every kind of file, damaged in every way; the tests run a sample of it.
campaign: $(VENV)/installed
	$(BIN)/python -m tests.campaign $(ARGS)

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build *.egg-info
