# The whole interface: make run, make test, make bench, make lint, make clean. And what CI and developers do more seldom:
# make test-quick, make test-sanitize, make test-threads, make test-io-threads, make fuzz, make coverage.
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

SOURCES := setup.py pyproject.toml packaging/docstrings.py packaging/launcher.c packaging/script.py $(shell find gearfast -name '*.p[yx][xdi]')

.PHONY: run build test test-quick test-sanitize test-threads test-io-threads fuzz coverage bench lint clean

run: build
	@mkdir -p build
	@exec $(VENV)/bin/gearfast --config-file=packaging/run.conf $(ARGS)

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

# For a further Python, on which `make test` is not run: the rooms and the whole server. The rest hardly hangs on it: the
# benchmarks, crashes and databases, what other servers do, and what only reads the sources.
in = $(foreach folder, $(1), $(wildcard tests/$(folder)/test_*.py))
named = $(foreach name, $(1), $(wildcard tests/*/test_$(name).py))
TESTS := $(call in, *)
APART := $(call in, harness crash differential) $(call named, full_disk house layers memory peers wheel \
    store_back_mysql store_give_back store_mysql* store_postgresql store_redis* store_stock* store_trouble)
QUICK := $(filter-out $(APART), $(TESTS))

test-quick: build $(VENV)/.testable
	sh tests/peers.sh
	GEARFAST_MODEL_EXAMPLES=200 $(PYTHON) $(PYTEST) $(or $(ARGS),$(QUICK))

# A copy of the tree, so that the ordinary build stays as it is.
copy = rm -rf build/$(1) && mkdir -p build/$(1)/build && ln -s ../../peers build/$(1)/build/peers \
    && cp -Rp gearfast tests benchmarks packaging docs setup.py pyproject.toml README.md Makefile build/$(1)/ \
    && find build/$(1)/gearfast -name '*.so' -delete

# The interpreter itself is not sanitized, and frees nothing at its end: no leak check. What never runs compiled code of
# ours, or runs other servers too, is left out.
SANITIZED := $(call named, packet structures handle pool large collector wakeups \
    broker_abilities broker_coalescing broker_reports broker_losing broker_time broker_limits broker_model \
    durable store_away store_ends store_model server listening accepting promptness drain leaving misbehaving robustness tls \
    embedding wrong_use reentry index fair events given_up plugin_mistakes inprocess_reports admin_names notes)
SANITIZER := LD_PRELOAD="$$(gcc -print-file-name=libasan.so)" ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=64 \
    PYTHONMALLOC=malloc GEARFAST_MODEL_EXAMPLES=200

test-sanitize: $(VENV)/.testable
	$(call copy,sanitize)
	cd build/sanitize && GEARFAST_SANITIZE=1 ../../$(PYTHON) setup.py -q build_ext --inplace --parallel 2
	cd build/sanitize && $(SANITIZER) PYTHONPATH="$$PWD" ../../$(PYTHON) $(PYTEST) $(or $(ARGS),$(SANITIZED))

# Races between threads, as ThreadSanitizer sees them. Every process that a test starts writes what it saw into
# build/threads/races, and whatever lies there at the end fails the run. The interpreter is not watched; what it does with
# its own lock is. Where places in memory are drawn from too wide a range the sanitizer finds its own ones taken: hence
# setarch. CFLAGS are for what tests compile themselves. Other programs are left out: some crash.
THREADED := $(call in, threads) tests/threads/planted.py $(call named, threads server wakeups accepting promptness \
    drain leaving tls reentry store_ends inprocess_reports)
UNMOVED = $(shell setarch -R true 2>/dev/null && echo setarch -R)
WATCHER := LD_PRELOAD="$$(gcc -print-file-name=libtsan.so)" CFLAGS="-g -fsanitize=thread" GEARFAST_MODEL_EXAMPLES=100 \
    TSAN_OPTIONS="log_path='$$PWD/races/race' die_after_fork=0 second_deadlock_stack=1"

test-threads: $(VENV)/.testable
	$(call copy,threads)
	find build/threads/tests -name '*.so' -delete && mkdir -m 777 build/threads/races
	cd build/threads && GEARFAST_RACES=1 ../../$(PYTHON) setup.py -q build_ext --inplace --parallel 2
	cd build/threads && $(WATCHER) PYTHONPATH="$$PWD" $(UNMOVED) ../../$(PYTHON) $(PYTEST) $(or $(ARGS),$(THREADED)); \
	    code=$$?; for report in races/*; do test ! -e "$$report" || { cat "$$report"; code=1; }; done; exit $$code

# What the suites say of a server with four threads whose connections go from one to another every few milliseconds: a copy
# of the tree in which that is the default, for servers in a test's own process and for programs that a test starts. What
# has no server in it is left out.
MOVED := $(filter-out $(call named, launcher), $(call in, whole server clients differential crash store threads)) \
    $(call named, broker_model)
SHUFFLED := s/^(IO_THREADS: Final = )"auto"$$/\14/; s/(By\("--io-shuffle"\)\] = )0\.0$$/\10.003/

test-io-threads: $(VENV)/.testable
	sh tests/peers.sh
	$(call copy,io-threads)
	sed -E -i.before '$(SHUFFLED)' build/io-threads/gearfast/config.py
	test "$$(diff build/io-threads/gearfast/config.py build/io-threads/gearfast/config.py.before | grep -c '^<')" = 2
	cd build/io-threads && ../../$(PYTHON) setup.py -q build_ext --inplace --parallel 2
	cd build/io-threads && PYTHONPATH="$$PWD" GEARFAST_MODEL_EXAMPLES=200 \
	    ../../$(PYTHON) $(PYTEST) $(or $(ARGS),$(MOVED))

# Inputs that nobody thought of, under the same sanitizers (tests/fuzz): MINUTES of them, or one FILE that was found, in
# words. Needs clang, and has apt fetch it where it may.
MINUTES ?= 2

fuzz: build $(VENV)/.testable
	$(PYTHON) -m tests.fuzz $(if $(FILE),file $(FILE),minutes $(MINUTES))

# Which lines of gearfast/ are run, compiled ones and those of other processes too (of other users: hence the mode); what
# is left out, and why, stands in pyproject.toml. A process that is killed cannot tell. Compiled code is some twenty times
# slower when its lines are traced.
COVERED := $(filter-out $(call in, harness crash) $(call named, house layers memory peers soak wheel), $(TESTS))
COVERAGE := $(PYTHON) -m coverage

coverage: $(VENV)/.testable
	sh tests/peers.sh
	$(call copy,coverage)
	find build/coverage/gearfast -name '*.c' -delete && mkdir -m 777 build/coverage/measured
	cd build/coverage && GEARFAST_COVERAGE=1 ../../$(PYTHON) setup.py -q build_ext --inplace --parallel 2
	cd build/coverage && PYTHONPATH="$$PWD" GEARFAST_MODEL_EXAMPLES=20 \
	    ../../$(COVERAGE) run $(PYTEST) --timeout=600 $(or $(ARGS),$(COVERED)) || \
	    echo "Some tests do not bear to be traced, or fail: see make test. What they ran is counted."
	cd build/coverage && ../../$(COVERAGE) combine --quiet && ../../$(COVERAGE) report

clean:
	rm -rf build/lib* build/temp* build/bdist* build/scripts* build/sanitize build/threads build/io-threads build/fuzz build/coverage dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
	rm -rf .hypothesis
	rm -rf build/bench
	find gearfast benchmarks tests -name '*.so' -delete
	find gearfast -name '*.c' -delete
	rm -f .venv*/.built $(VENV)/.built
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
