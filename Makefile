# Each verb does all its own set-up; the environment is made once, in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MODEL ?= mini
ARGS ?=

.PHONY: evaluate test campaign lint site axe matrix clean

# torch goes in first: left to a dependency, it may bring several gigabytes of GPU libraries.
$(VENV)/installed: setup.py constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

evaluate: $(VENV)/installed
	$(BIN)/python evaluate_models.py $(MODEL) --data mini $(ARGS)

# Files go to the processes in their order: xdist's own puts those of few tests last, and these
# are the longest. Compiled code is written to disk, also where the user's environment forbids it:
# hundreds of processes import this project. Two processes of pytest do it sooner than three on two
# cores; more cores take more of them: make test ARGS="-n 8".
test: $(VENV)/installed
	PYTHONDONTWRITEBYTECODE= HF_HUB_OFFLINE=1 HF_EVALUATE_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

# Every command on every kind of file, damaged in every way; the tests run a sample of it.
campaign: $(VENV)/installed
	$(BIN)/python -m tests.campaign $(ARGS)

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The documents as pages, warnings as errors, in build/site. In CI, too: the tests build it.
site: $(VENV)/installed
	$(BIN)/python docs/site_pages.py build/pages
	$(BIN)/zensical build --strict

# Those pages and all that commands make in a browser, by axe (from npm), at two widths.
axe: site
	OMP_NUM_THREADS=1 $(BIN)/python tests/axe.py --made build/site

# A bare install on each Python, and of the lowest versions; makes environments, in build/matrix.
matrix:
	tests/matrix.sh $(ARGS)

clean:
	rm -rf $(VENV) build *.egg-info
