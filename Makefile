# One verb each. `make demo` and `make test` need nothing but Debian and Python; they install the rest.
.DEFAULT_GOAL := help
.PHONY: help install pjsua2 demo test check lint types tests image asterisk asterisk-down audit sbom bench bench-native fuzz soak lock clean
.DELETE_ON_ERROR:

PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$python; break; }; done)
# Ready wheels of pjsua2 end at CPython 3.12, and for Linux there are none but for x86-64: elsewhere it is built here.
NO_WHEEL := $(shell $(PYTHON) -c 'import platform, sys; \
	print("" if sys.version_info < (3, 13) and (sys.platform != "linux" or platform.machine() == "x86_64") else "native")' 2>/dev/null)
# `PJSUA2=native` with any target: the native user agent, in an environment of its own beside the wheel's.
PJSUA2 :=
# The tests run on each build that this machine can have, or on the one that is named.
BUILDS := $(or $(PJSUA2),$(NO_WHEEL),wheel native)
VENV := $(if $(filter native,$(PJSUA2)),.venv-native,.venv)
INSTALLED := $(VENV)/.installed
NATIVE := $(VENV)/.native

help:  ## list what can be made
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1: /p' $(MAKEFILE_LIST) | awk -F': ' '{ printf "  make %-14s %s\n", $$1, $$2 }'

install: $(INSTALLED) $(if $(filter native,$(PJSUA2) $(NO_WHEEL)),$(NATIVE))  ## set up .venv with the locked dependencies

pjsua2: $(INSTALLED)  ## the native user agent in place of the wheel, for 2,000 calls a process and TLS 1.3
	@PYTHON=$(PYTHON) .ci/system native
	@wheel=$$($(VENV)/bin/python .ci/pjsua2) && \
		$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-index --no-deps --force-reinstall "$$wheel"
	@touch $(NATIVE)

$(NATIVE): $(INSTALLED) .ci/pjsua2
	@$(MAKE) --no-print-directory pjsua2

$(INSTALLED): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "probe needs CPython 3.11 or later; none is here. \
	On Debian: apt-get install python3 python3-venv. Elsewhere: make PYTHON=/path/to/python3.12" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	"probe needs CPython 3.11 or later; $(PYTHON) is %d.%d." % sys.version_info[:2])'
	@PYTHON=$(PYTHON) .ci/system python
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@# Where Python is told to write no bytecode, each start would compile the program anew.
	@$(VENV)/bin/python -m compileall -q probe
	@touch $@

demo: install  ## the main job against the carrier simulator, with webhooks
	@$(VENV)/bin/python scenarios/demo.py

test: install  ## lint, types and all tests, with the wheel and with the native user agent
	@PYTHON=$(PYTHON) .ci/system
	@$(MAKE) --no-print-directory check
	@# What takes minutes the first time is built before the tests, whose bounds of time it would strain.
	@$(VENV)/bin/python tests/asterisk/container.py build
	@$(VENV)/bin/python tests/container_image.py
	@for build in $(BUILDS); do \
		echo "All tests, with the $$build of pjsua2:"; $(MAKE) --no-print-directory PJSUA2=$$build tests || exit; done

check: lint types  ## lint and types

lint: install
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check

types: install
	$(VENV)/bin/mypy

tests: install
	@# With bytecode, or each worker of each build would rewrite the asserts of all tests anew.
	PYTHONDONTWRITEBYTECODE= $(VENV)/bin/pytest -n 4 --dist loadgroup

image: install  ## the container image `probe`, with Docker or Podman
	@$(VENV)/bin/python tests/container_image.py

asterisk: install  ## bring up the Asterisk container, with Docker or Podman
	@$(VENV)/bin/python tests/asterisk/container.py up

asterisk-down: install  ## take the Asterisk container down
	@$(VENV)/bin/python tests/asterisk/container.py down

audit: install  ## ask a vulnerability service about the locked dependencies, if one can be reached
	@$(VENV)/bin/python tests/supply.py audit

sbom: install  ## list the parts of the image in results/sbom.json (CycloneDX)
	@$(VENV)/bin/python tests/supply.py sbom results/sbom.json

bench: install  ## the figures of the README, side by side with what they are compared to
	@$(VENV)/bin/python -m tests.bench

bench-native:  ## what the native user agent does in a second and at once, beside bare pjsua2 and SIPp
	@$(MAKE) --no-print-directory PJSUA2=native install
	@.venv-native/bin/python -m tests.bench native

MINUTES := 5
fuzz: install  ## try what strangers may send for MINUTES=5; what breaks a reading becomes a file under tests/data/fuzz
	@$(VENV)/bin/python -m tests.fuzz --seconds $$(( $(MINUTES) * 60 ))

soak: install  ## a daemon among parts that fail at random, for MINUTES=5
	@$(VENV)/bin/python tests/soak.py $(MINUTES)

lock: install  ## make requirements.lock anew from pyproject.toml (needs uv)
	uv pip compile --quiet --extra dev --generate-hashes --no-annotate --no-header --universal --python-version 3.11 \
		--no-emit-index-url pyproject.toml -o requirements.lock

clean:  ## remove what was built
	rm -rf .venv .venv-native build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
