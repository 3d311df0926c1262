# The same commands everywhere: a newcomer's first minute, a developer's check, and CI.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
JOBS ?= 2
# Scripts are not typed throughout, but have to call what there still is.
CALLS_ONLY := $(addprefix --disable-error-code=,arg-type assignment attr-defined import-not-found \
  import-untyped no-any-return no-untyped-call no-untyped-def union-attr)

.PHONY: help demo test check format bench clean

help:  ## What can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 16

demo: $(VENV)/.base-ready  ## Set up, then repair the three bugs of the bundled project
	@sh benchmarks/demo/run.sh $(BIN)/apr

test: $(VENV)/.dev-ready check  ## Set up, then check and run the whole test suite
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

check: $(VENV)/.dev-ready  ## Format, lint, types, direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	MYPYPATH=tests:validation/harness $(BIN)/mypy $(CALLS_ONLY) benchmarks/*.py
	$(BIN)/lint-imports

format: $(VENV)/.dev-ready  ## Rewrite the code in the project's style
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev-ready  ## Measure speed; needs QUIXBUGS=/path/to/checkout and IMAGE=TAG, see benchmarks/README.md
	@test -d "$(QUIXBUGS)" -a -n "$(IMAGE)" || { echo "say what to measure: make bench QUIXBUGS=DIR IMAGE=TAG" >&2; exit 2; }
	$(BIN)/python benchmarks/throughput.py --image "$(IMAGE)" --image-python /opt/env/bin/python --quixbugs "$(QUIXBUGS)"
	$(BIN)/python benchmarks/search_overhead.py

clean:  ## Remove what the targets above have made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "APR needs Python 3.11 or later; set PYTHON=/path/to/python3.11" >&2; exit 3; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || sh .ci/apt python3-venv
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.base-ready: pyproject.toml | $(VENV)/.created
	@sh .ci/apt git:git bwrap:bubblewrap
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev-ready: pyproject.toml | $(VENV)/.base-ready
	@sh .ci/apt pg_ctl:postgresql redis-server:redis-server javac:default-jdk-headless \
	  /usr/share/java/junit4.jar:junit4 /usr/share/java/asm-tree.jar:libasm-java node:nodejs dockerd:docker.io chromium:chromium
	@# This release of torch comes without CUDA's gigabytes; a GPU machine brings its own.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,bench,serve,scale,seq2seq,swebench,web,telemetry,s3]'
	@touch $@
