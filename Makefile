# From a fresh clone: `make demo`, `make test`. Everything goes into .venv and build/.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
PYTHON := $(VENV)/bin/python
DONE := $(VENV)/done
INTERFACES := $(wildcard msg/*.msg srv/*.srv action/*.action)
ARGS ?=

help:  ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  ARGS='...' is passed on, as in: make test ARGS='-k actions -x'"

demo: $(DONE)/package  ## two simulated arms do a task in closed loop over ROS 2, leaves runs/<stamp>-demo
	$(VENV)/bin/wm-planner demo $(ARGS)

test: $(DONE)/package $(DONE)/test $(DONE)/torch  ## every test
	$(PYTHON) -m pytest --durations=25 --timeout 900 $(ARGS)

# In one call with `test` the fast tests are not run twice.
check: lint $(if $(filter test,$(MAKECMDGOALS)),,fast-test)  ## ruff, format, mypy, import rules, fast tests

lint: $(DONE)/package $(DONE)/test $(DONE)/torch
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check
	$(PYTHON) -m mypy
	$(PYTHON) -m pytest -q test/test_import_rules.py

fast-test: $(DONE)/package $(DONE)/test $(DONE)/torch
	$(PYTHON) -m pytest -q -m "not slow" $(ARGS)

build: $(DONE)/package  ## environment and package, ready to use

colcon-test: $(DONE)/package  ## build with colcon and use the result
	tools/test_colcon.sh

test-pythons:  ## install with pip, isolated, on every Python from 3.10 to 3.13 that is here
	tools/test_pythons.sh $(ARGS)

clean:  ## remove everything that was made, except runs/
	rm -rf $(VENV) build install log *.egg-info wm_planner/{msg,srv,action} wm_planner/*.so
	find . -name __pycache__ -prune -exec rm -rf {} +

$(DONE)/environment: tools/system_packages.sh tools/find_python.sh
	@tools/system_packages.sh
	@test -x $(PYTHON) || "$$(tools/find_python.sh)" -m venv $(VENV)
	@mkdir -p $(DONE)
	@tools/quietly.sh "Preparing .venv" $(PYTHON) -m pip install --upgrade pip
	@touch $@

# Editable: changed Python files and configuration count at once, only these files need a build.
$(DONE)/package: pyproject.toml setup.py package.xml CMakeLists.txt $(wildcard cmake/*) \
		$(wildcard scripts/*) $(INTERFACES) | $(DONE)/environment
	@tools/quietly.sh "Installing build tools" \
		$(PYTHON) -m pip install $$($(PYTHON) tools/requirements.py build)
	@tools/quietly.sh "Installing dependencies" \
		$(PYTHON) -m pip install $$($(PYTHON) tools/requirements.py run)
	@tools/quietly.sh "Building wm_planner" \
		$(PYTHON) -m pip install --no-build-isolation --no-deps --editable .
	@touch $@

$(DONE)/test: pyproject.toml | $(DONE)/environment
	@tools/quietly.sh "Installing test tools" \
		$(PYTHON) -m pip install $$($(PYTHON) tools/requirements.py test ray)
	@touch $@

$(DONE)/torch: pyproject.toml tools/install_torch.sh | $(DONE)/environment
	@tools/install_torch.sh $(PYTHON)
	@tools/quietly.sh "Installing training tools" \
		$(PYTHON) -m pip install $$($(PYTHON) tools/requirements.py train diffusers lpips efficientnet)
	@touch $@

.PHONY: help demo test check lint fast-test build colcon-test test-pythons clean
.DELETE_ON_ERROR:
