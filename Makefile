# The commands of a developer's day. `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help demo test fuzz faults check bench bench-api bench-detect bench-ingest bench-console scorecard setup browser screenshots lock clean

BIN := .venv/bin
READY := .venv/ready
PYTEST_ARGS ?=
TEST_WORKERS ?= 3
FUZZ_EXAMPLES ?= 300
BENCH_ARGS ?=

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## a whole city in one process: database, broker, simulators, console
	@$(BIN)/citygauge demo

test: $(READY) ## every test, TEST_WORKERS=3 files at a time, as some wait while others work; the browser's are skipped where no Chromium can be had
	-@$(BIN)/python -m services.embedded.browser
	@$(BIN)/python -m pytest --numprocesses=$(TEST_WORKERS) --dist=loadfile --no-loadscope-reorder $(PYTEST_ARGS)

fuzz: $(READY) ## ask the API thousands of right and wrong questions made from its document; FUZZ_EXAMPLES=300 of each
	@FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(BIN)/python -m pytest -q --timeout=3600 tests/integration/test_api_fuzz.py $(PYTEST_ARGS)

faults: $(READY) ## kill, freeze, fill and cut off each part under full load, as long as in the field (15 minutes)
	@CITYGAUGE_FAULTS=full $(BIN)/python -m pytest -q -s tests/faults tests/acceptance/test_notify_storm.py $(PYTEST_ARGS)

check: $(READY) ## style, types and the direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY) ## measure the hot paths
	@$(BIN)/python -m benchmarks

bench-api: $(READY) ## the query API on 100 million readings; BENCH_ARGS="--rows 3400000" for a quick look
	@$(BIN)/python -m benchmarks api -- $(BENCH_ARGS)

bench-detect: $(READY) ## detection's speed, and beside river, pandas, polars and numba in one run
	@$(BIN)/python -m benchmarks detect detect_peers -- $(BENCH_ARGS)

bench-ingest: $(READY) ## ingest beside its peers, in one run; BENCH_ARGS="--rounds 1" for a short one
	@$(BIN)/python -m benchmarks ingest_peers -- $(BENCH_ARGS)

bench-console: $(READY) ## the console in Chromium: 10,000 open alerts, live ones, zooming a year, 100,000 sensors on a map
	@$(BIN)/python -m benchmarks console -- $(BENCH_ARGS)

scorecard: $(READY) ## the detectors on labelled cases, against published figures and our aims
	@$(BIN)/python -m benchmarks.scorecard

setup: $(READY) ## .venv from the locked packages; the others do it when needed

browser: $(READY) ## prepare a Chromium for the tests of the console
	@$(BIN)/python -m services.embedded.browser

screenshots: $(READY) ## pictures of the console on the demo's city, into docs/images
	@$(BIN)/python -m tests.browser.screenshots

lock: $(READY) ## choose the newest packages again and lock them
	@command -v uv >/dev/null || $(BIN)/python -m pip install --quiet uv
	PATH="$(CURDIR)/$(BIN):$$PATH" uv pip compile --upgrade --universal --python-version 3.11 \
	    --generate-hashes --no-emit-index-url --extra dev pyproject.toml -o requirements.lock
	PATH="$(CURDIR)/$(BIN):$$PATH" uv pip compile --upgrade --universal --python-version 3.11 \
	    --generate-hashes --no-emit-index-url -c requirements.lock --extra apprise --extra arrow pyproject.toml -o deploy/requirements.lock

clean: ## remove everything that these commands made in this folder
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.lock pyproject.toml deploy/setup-venv.sh
	@deploy/setup-venv.sh
