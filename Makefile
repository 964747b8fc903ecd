# The two commands of the README, and the linters. Nothing has to be set up first.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test quick slow lint clean

demo: $(VENV)/installed
	$(BIN)/seqforge run genome --out runs/demo --budget 60s
	@echo
	@echo "Open runs/demo/report.html in a browser. Then try:"
	@echo "  $(BIN)/seqforge sample runs/demo -n 3 -t 0.8       draw from the model just trained"
	@echo "  $(BIN)/seqforge sample fly -n 3 --length 500       draw from the model that ships"
	@echo "  $(BIN)/seqforge run text --input YOUR.txt          learn your own text"
	@echo "  $(BIN)/seqforge --help                             all commands"

# More workers than cores: some tests wait for a service, a lock or a process.
test: $(VENV)/tests
	$(BIN)/python -m pytest -n 4 --dist loadfile -m "not slow"

# Each test once and not at length: a look before a commit, in little more than a minute on two cores.
quick: $(VENV)/tests
	$(BIN)/python -m pytest -n 2 --dist loadfile --quick

slow: $(VENV)/tests
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/linters
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pylint --disable=all --enable=duplicate-code seqforge

# A stamp a step: made again when what is to be installed has changed.
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e .
	@touch $@

$(VENV)/tests: $(VENV)/installed
	$(PIP) -e ".[test]"
	@touch $@

$(VENV)/linters: $(VENV)/installed
	$(PIP) -e ".[lint]"
	@touch $@

clean:
	rm -rf $(VENV) dist build
