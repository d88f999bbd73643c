# Everything runs in .venv, made on first use. A full install is slow; the next call is quick.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# make demo ARGS="-n 2" hands arguments to pytest; TESTS=tests/unit picks tests.
ARGS ?=
TESTS ?= tests

.DEFAULT_GOAL := help
.PHONY: help install demo test lint types measure prove-mutants prove-healthy prove-faults prove-load prove-mutations prove-backups prove-bad-inputs prove-repeats

help: ## This list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

$(STAMP): pyproject.toml
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) || { echo "make: python3 -m venv failed; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "installing rampgate with all extras into $(VENV); the first time this takes a minute"
	@$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	@$(BIN)/python -m pip install --quiet --editable ".[all]" --group dev
	$(BIN)/rampgate doctor --fix
	@touch $(STAMP)

install: $(STAMP) ## Create .venv with everything, Chromium and Lighthouse included

demo: $(STAMP) ## The whole story: reference deployment, checks, a load ramp, the verdict; STACK=full: with Prometheus
	$(BIN)/rampgate demo $(if $(STACK),--stack $(STACK)) -- $(ARGS)

test: $(STAMP) ## All tests
	$(BIN)/python -m pytest $(TESTS) --durations=25 $(ARGS)

lint: $(STAMP) ## ruff, the layers contract, a promise in every test's docstring
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/interrogate --quiet tests validation

types: $(STAMP) ## mypy strict
	$(BIN)/mypy

measure: $(STAMP) ## Files, lines, statements, circles and the like, by room; ARGS=<revision>: of another commit
	@$(BIN)/python -m proofs.house $(ARGS)

prove-mutants: $(STAMP) ## 100 mutations of judging, evidence, plan and load: how many the tests notice (hours; resumable; not in CI)
	$(BIN)/python -m proofs.mutants $(ARGS)

prove-healthy: $(STAMP) ## 20 runs on the healthy deployment (long; resumable; not in CI)
	$(BIN)/python -m proofs.healthy

prove-faults: $(STAMP) ## Nine faults, everything real, and what the gate said (long; resumable; not in CI)
	$(BIN)/python -m proofs.faults

prove-load: $(STAMP) ## The load gate beside known truths, Locust and k6 (about an hour; resumable; not in CI)
	$(BIN)/python -m proofs.load $(ARGS)

prove-mutations: $(STAMP) ## One mutation for each check before and during a deploy (long; not in CI)
	$(BIN)/python -m proofs.mutations $(ARGS)

prove-backups: $(STAMP) ## Backups of 100,000 documents and keys, whole and damaged (long; not in CI)
	$(BIN)/python -m proofs.backups $(ARGS)

prove-bad-inputs: $(STAMP) ## What somebody gets wrong before a deploy, and what is left of it (3 minutes; resumable; not in CI)
	$(BIN)/python -m proofs.bad_inputs $(ARGS)

prove-repeats: $(STAMP) ## The checks before and during a deploy, three times each: same answers, nothing left (20 minutes; not in CI)
	$(BIN)/python -m proofs.repeats $(ARGS)
