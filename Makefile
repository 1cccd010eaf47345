# The whole interface: make run, make test, make bench, make lint, make clean.
#
# `run` and `test` do all the set-up by themselves, in .venv and build/; nothing outside this folder is installed.
# Options for the server:  make run ARGS="--port=4731 --verbose=INFO"
# Options for pytest:      make test ARGS="-k daemon" (one at a time: ARGS="-n0 -k daemon")
# Options for benchmarks:  make bench ARGS="--quick --only drain", or ARGS=--help
# Another Python:          make test PYTHON3=python3.13 VENV=.venv-3.13

PYTHON3 ?= python3
ARGS ?=

VENV ?= .venv
PYTHON := $(VENV)/bin/python
PIP := $(PYTHON) -m pip --disable-pip-version-check --quiet
export PIP_ROOT_USER_ACTION := ignore

# Two at a time: most tests wait for a server or a disk. The tests of a file share its databases, so they stay together.
PYTEST := -m pytest --numprocesses=2 --dist=loadfile

SOURCES := setup.py pyproject.toml $(wildcard gearfast/*.pyx gearfast/*.pxd)

.PHONY: run build test bench lint test-sanitize clean

run: build
	@mkdir -p build
	@exec $(PYTHON) -m gearfast --config-file=packaging/run.conf $(ARGS)

build: $(VENV)/.built

test: build $(VENV)/.testable
	sh tests/peers.sh
	$(PYTHON) $(PYTEST) $(ARGS)

bench: build $(VENV)/.benchable
	@$(PYTHON) -m benchmarks $(ARGS)

lint: build $(VENV)/.testable
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	$(PYTHON) -m mypy.stubtest gearfast --allowlist tests/stubtest-allowlist.txt

# A copy of the tree, so that the ordinary build stays as it is. The interpreter itself is not sanitized, and frees
# nothing at its end: no leak check. What never runs compiled code of ours, or runs other servers too, is left out.
SANITIZED := $(addprefix tests/test_, $(addsuffix .py, packet structures jobqueue pool large collector wakeups \
    broker_abilities broker_coalescing broker_reports broker_losing broker_time broker_limits broker_model \
    durable store_away store_ends store_model server listening accepting promptness drain leaving misbehaving robustness tls \
    embedding))
SANITIZER := LD_PRELOAD="$$(gcc -print-file-name=libasan.so)" ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=64 \
    PYTHONMALLOC=malloc GEARFAST_MODEL_EXAMPLES=200

test-sanitize: $(VENV)/.testable
	rm -rf build/sanitize && mkdir -p build/sanitize/build && ln -s ../../peers build/sanitize/build/peers
	cp -Rp gearfast tests benchmarks packaging docs setup.py pyproject.toml README.md Makefile build/sanitize/
	rm -f build/sanitize/gearfast/*.so
	cd build/sanitize && GEARFAST_SANITIZE=1 ../../$(PYTHON) setup.py -q build_ext --inplace --parallel 2
	cd build/sanitize && $(SANITIZER) PYTHONPATH="$$PWD" ../../$(PYTHON) $(PYTEST) $(or $(ARGS),$(SANITIZED))

clean:
	rm -rf build/lib* build/temp* build/bdist* build/sanitize dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
	rm -rf .hypothesis
	rm -rf build/bench
	rm -f gearfast/*.so gearfast/*.c gearfast/*.html benchmarks/*.so benchmarks/*/*.so $(VENV)/.built
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +

# --- set-up: each step leaves a stamp, so that it is done once ---------------------------

$(VENV)/.ready: packaging/prerequisites.sh
	@sh packaging/prerequisites.sh $(PYTHON3)
	@test -x $(VENV)/bin/pip || { echo "Making $(VENV)"; $(PYTHON3) -m venv $(VENV); }
	@$(PIP) install "setuptools>=77" "Cython>=3.3,<4" || { \
	    echo "pip could not fetch what the build needs. Is PyPI reachable (PIP_INDEX_URL, HTTPS_PROXY)?" >&2; exit 1; }
	@touch $@

$(VENV)/.built: $(VENV)/.ready $(SOURCES)
	@echo "Building gearfast"
	@$(PIP) install --no-build-isolation --editable .
	@touch $@

$(VENV)/.testable: $(VENV)/.built pyproject.toml
	@echo "Fetching what the tests need"
	@$(PIP) install --no-build-isolation --editable ".[test]"
	@touch $@

$(VENV)/.benchable: $(VENV)/.built pyproject.toml
	@echo "Fetching what the benchmarks need"
	@$(PIP) install --no-build-isolation --editable ".[bench]"
	@touch $@
