# make demo   a virtual environment, a small install, and ten melodies of the model that comes with Ostinato
# make road   the whole road on the tunes in data/: convert, train a minute, generate
# make test   the test extras, the checks and all tests
# make format tidies the code
# make docs   the documentation as a site, in docs/_build

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo road test check docs format clean

demo: $(VENV)/core.installed
	@PATH="$(CURDIR)/$(BIN):$$PATH" scripts/demo
	@echo "To type ostinato yourself, first type: . $(BIN)/activate"

road: $(VENV)/train.installed
	@PATH="$(CURDIR)/$(BIN):$$PATH" scripts/road

test: $(VENV)/test.installed
	@scripts/fetch_npm
	@PATH="$(CURDIR)/$(BIN):$$PATH" scripts/check
	@PATH="$(CURDIR)/$(BIN):$$PATH" scripts/test

check: $(VENV)/test.installed
	@PATH="$(CURDIR)/$(BIN):$$PATH" scripts/check

docs: $(VENV)/docs.installed
	@$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet docs docs/_build
	@echo "Open docs/_build/index.html in a browser."

format: $(VENV)/dev.installed
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

clean:
	rm -rf $(VENV) docs/_build road generated .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/test.installed: $(VENV)/dev.installed
	@touch $@

$(VENV)/core.installed: pyproject.toml constraints.txt
	@scripts/install "$(PYTHON)" $(VENV)
	@touch $@

$(VENV)/%.installed: pyproject.toml constraints.txt
	@scripts/install "$(PYTHON)" $(VENV) $*
	@touch $@
