# make demo   a virtual environment, an install, and the whole road on the tunes in data/
# make test   the test extras, the checks and all tests
# make format tidies the code

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test check format clean

demo: $(VENV)/train.installed
	@PATH="$(CURDIR)/$(BIN):$$PATH" scripts/demo

test: $(VENV)/dev.installed
	@PATH="$(CURDIR)/$(BIN):$$PATH" scripts/check
	@PATH="$(CURDIR)/$(BIN):$$PATH" scripts/test

check: $(VENV)/dev.installed
	@PATH="$(CURDIR)/$(BIN):$$PATH" scripts/check

format: $(VENV)/dev.installed
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

clean:
	rm -rf $(VENV) demo generated .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/%.installed: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing ostinato[$*] into $(VENV) (PyTorch takes the longest) ..."
	@$(INSTALL) --editable '.[$*]'
	@touch $@
