# One verb each. `make demo` and `make test` need nothing but Debian and Python; they install the rest.
.DEFAULT_GOAL := help
.PHONY: help install demo test check lint types tests asterisk asterisk-down bench lock clean
.DELETE_ON_ERROR:

# The pjsua2 wheels end at CPython 3.12.
PYTHON ?= $(shell for python in python3.11 python3.12 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null && { echo $$python; break; }; done)
VENV := .venv
INSTALLED := $(VENV)/.installed

help:  ## list what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' $(MAKEFILE_LIST) | awk -F': ' '{ printf "  make %-14s %s\n", $$1, $$2 }'

install: $(INSTALLED)  ## set up .venv with the locked dependencies

$(INSTALLED): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "probe needs CPython 3.11 or 3.12, where the pjsua2 wheels end; none is here. \
	On Debian 12: apt-get install python3 python3-venv. Elsewhere: make PYTHON=/path/to/python3.12" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)) and \
	"probe needs CPython 3.11 or 3.12, where the pjsua2 wheels end; $(PYTHON) is %d.%d." % sys.version_info[:2])'
	@PYTHON=$(PYTHON) .ci/system python
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@# Where Python is told to write no bytecode, each start would compile the program anew.
	@$(VENV)/bin/python -m compileall -q probe
	@touch $@

demo: install  ## the main job against the carrier simulator, with webhooks
	@$(VENV)/bin/python scenarios/demo.py

test: install  ## lint, types and all tests, the Asterisk container among them
	@PYTHON=$(PYTHON) .ci/system
	@$(MAKE) --no-print-directory check
	@$(VENV)/bin/python tests/asterisk/container.py build
	@$(MAKE) --no-print-directory tests

check: lint types  ## lint and types

lint: install
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check

types: install
	$(VENV)/bin/mypy

tests: install
	$(VENV)/bin/pytest -n 4 --dist loadgroup

asterisk: install  ## bring up the Asterisk container, with Docker or Podman
	@$(VENV)/bin/python tests/asterisk/container.py up

asterisk-down: install  ## take the Asterisk container down
	@$(VENV)/bin/python tests/asterisk/container.py down

bench: install  ## the figures of the README, side by side with what they are compared to
	@$(VENV)/bin/python -m tests.bench

lock: install  ## make requirements.lock anew from pyproject.toml (needs uv)
	uv pip compile --quiet --extra dev --generate-hashes --no-annotate --no-header --universal --python-version 3.11 \
		--no-emit-index-url pyproject.toml -o requirements.lock

clean:  ## remove what was built
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
