# Everything runs in VENV, made with PYTHON on first use. A full install is slow; the next call is quick.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# make demo ARGS="-n 2" hands arguments to pytest; TESTS=tests/unit picks tests.
ARGS ?=
# The long ones come first, so that no worker is left alone with one in the end.
TESTS ?= tests/e2e tests/plugin tests/unit proofs/tests
JOURNEYS ?= $(wildcard tests/journeys/test_*.py)
PYTEST := $(BIN)/python -m pytest --numprocesses=auto --dist=loadgroup --durations=15

# What tests and demo start compiles each module once, not at every start.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install python demo rollout-demo test test-long lint types docs measure promises prove-mutants prove-healthy prove-faults prove-load prove-mutations prove-backups prove-bad-inputs prove-blame prove-repeats prove-latency prove-answers prove-foreign prove-plugins prove-secrets prove-rules prove-reach prove-cohorts prove-watch prove-messages prove-extended prove-unleash prove-rollout-chance prove-rollout

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

python: $(STAMP)
	@$(BIN)/python -c 'import sys; print(sys.executable, "is Python", sys.version.split()[0], flush=True)'

demo: python ## The whole story: reference deployment, checks, a load ramp, the verdict; STACK=full: with Prometheus
	$(BIN)/rampgate demo $(if $(STACK),--stack $(STACK)) -- $(ARGS)

rollout-demo: python ## A rollout from 0 to 100 % on the reference deployment, and one that breaks at 25 % (minutes; not in CI)
	$(BIN)/python -m proofs.rollout_demo $(ARGS)

test: python ## All tests but the journeys, some at the same time; ARGS="-n 0": one by one (minutes)
	$(PYTEST) $(TESTS) $(ARGS)

test-long: python ## Journeys with a browser and the full stack: three at a time, then those that starve beside another (minutes)
	$(PYTEST) --numprocesses=3 -m "not alone" $(JOURNEYS) $(ARGS)
	$(PYTEST) --numprocesses=1 -m alone $(JOURNEYS) $(ARGS) || test $$? -eq 5  # 5: none of JOURNEYS is marked alone

lint: python ## ruff, the layers contract, no long function or module, a promise in every test's docstring
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python -m proofs.house --limits
	$(BIN)/interrogate --quiet tests proofs/tests validation

types: python ## mypy strict
	$(BIN)/mypy

docs: python ## What docs/ and schemas/ say of the settings, made from their types
	$(BIN)/python -m rampgate.checks.frame.docs docs
	$(BIN)/python -m rampgate.config.schema src/rampgate/schemas/settings.json

measure: $(STAMP) ## Files, lines, statements, circles and the like, by room; ARGS=<revision>: of another commit
	@$(BIN)/python -m proofs.house $(ARGS)

promises: $(STAMP) ## What the tests promise; ARGS="--since <revision>": what is kept, reworded, new, gone
	@$(BIN)/python -m proofs.promises $(ARGS)

prove-mutants: $(STAMP) ## 100 mutations of judging, evidence, plan and load: how many the tests notice (15 minutes; resumable; not in CI)
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

prove-blame: $(STAMP) ## Who is to blame: the runner, the settings, or the target, each beside its reverse (15 minutes; resumable; not in CI)
	$(BIN)/python -m proofs.blame $(ARGS)

prove-answers: $(STAMP) ## Answers that are none, and what the checks made of each (2 minutes; not in CI)
	$(BIN)/python -m proofs.answers

prove-repeats: $(STAMP) ## The checks before and during a deploy, three times each: same answers, nothing left (20 minutes; not in CI)
	$(BIN)/python -m proofs.repeats $(ARGS)

prove-plugins: $(STAMP) ## Plugins of pytest beside rampgate: own tests counted, verdicts the same (PyPI; 10 minutes; resumable; not in CI)
	$(BIN)/python -m proofs.plugins $(ARGS)

prove-foreign: $(STAMP) ## Three applications that others wrote, whole and broken (PyPI, npm, nginx, PostgreSQL; resumable; not in CI)
	$(BIN)/python -m proofs.foreign $(ARGS)

prove-latency: $(STAMP) ## The probe of the API on pauses, bursts and a sound service at full length, 20 runs each (an hour; resumable; not in CI)
	$(BIN)/python -m proofs.latency $(ARGS)

prove-cohorts: $(STAMP) ## False calls and speed of the comparison of cohorts, simulated, and once for real (an hour; resumable; not in CI)
	$(BIN)/python -m proofs.cohorts $(ARGS)
	$(BIN)/python -m proofs.dilution $(ARGS)

prove-rollout-chance: $(STAMP) ## What a rollout's plan says its soaks see, and what stops healthy rollouts, simulated (5 minutes; resumable; not in CI)
	$(BIN)/python -m proofs.rollout_chance $(ARGS)

prove-watch: $(STAMP) ## The watch is killed 20 times, and so are rounds of --once: episodes and messages counted (15 minutes; resumable; not in CI)
	$(BIN)/python -m proofs.watch $(ARGS)

prove-messages: $(STAMP) ## Seconds from a fault to the watch's message and to that of its recovery, five times (an hour; resumable; not in CI)
	$(BIN)/python -m proofs.messages $(ARGS)

prove-extended: $(STAMP) ## Ten faults while a deployment is used, and 20 healthy rehearsals (two hours; resumable; not in CI)
	$(BIN)/python -m proofs.extended $(ARGS)

prove-unleash: $(STAMP) ## A real Unleash driven up and down by the HTTP actuator, and read back (npm, PostgreSQL; 3 minutes; resumable; not in CI)
	$(BIN)/python -m proofs.unleash $(ARGS)

prove-rollout: $(STAMP) ## A rollout killed at each step, raced, hung and lied to; 20 emergencies under users (an hour; resumable; not in CI)
	$(BIN)/python -m proofs.rollout $(ARGS)

prove-secrets: $(STAMP) ## A secret in every setting that can hold one, and where each is found (15 minutes; resumable; not in CI)
	$(BIN)/python -m proofs.secrets $(ARGS)

prove-rules: $(STAMP) ## What the watch does beside what promtool says of its exported rules (promtool; 10 minutes; resumable; not in CI)
	$(BIN)/python -m proofs.rules $(ARGS)

prove-reach: $(STAMP) ## Ways to a host outside of allowed_hosts, and the packets that took each (root; 20 minutes; not in CI)
	$(BIN)/python -m proofs.reach $(ARGS)
