# Two commands are enough: `make run` serves a hub, `make test` proves it. `make help` lists the rest.
PYTHON ?= python3
HOST   ?= 127.0.0.1
PORT   ?= 5000
DATA   ?= data
BIN    := .venv/bin

.PHONY: help run test test-fast test-beyond lint gen bench torture soak clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: .venv/run.stamp ## serve a hub on $(HOST):$(PORT), data in $(DATA)
	$(BIN)/entrepot serve --data $(DATA) --host $(HOST) --port $(PORT)

test: .venv/test.stamp ## install the clients that tests use, then lint and run every test
	sh scripts/install-clients
	$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest -n 2 -m "not clients and not slow"
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "slow and not clients"
	$(BIN)/python -m pytest -m clients -rs
	$(MAKE) --no-print-directory test-beyond

test-fast: .venv/test.stamp ## the tests that need no client and little time
	$(BIN)/python -m pytest -n 2 -m "not clients and not slow"

# Bytes on versitygw where Go is, else on moto, and on Azurite where node is; the folders left out hold no hub.
test-beyond: .venv/test.stamp ## the same again on PostgreSQL and S3, and conformance and clients there; stores on Azure
	ENTREPOT_TEST_DATABASE=postgresql ENTREPOT_TEST_BLOBS=s3 $(BIN)/python -m pytest -n 2 -m "not clients and not slow" \
		--ignore=tests/house --ignore=tests/model --ignore=tests/deploy
	ENTREPOT_TEST_DATABASE=postgresql ENTREPOT_TEST_BLOBS=s3 $(BIN)/python -m pytest -m clients \
		tests/clients/test_conformance.py tests/clients/test_clients.py tests/clients/test_go_clients.py
	ENTREPOT_TEST_BLOBS=azurite $(BIN)/python -m pytest -n 2 -m "not clients and not slow" \
		tests/backup tests/buckets tests/crash tests/store

lint: .venv/test.stamp ## style, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache > .venv/lint-imports.log || { cat .venv/lint-imports.log; exit 1; }

gen: .venv/run.stamp ## write everything that is generated
	$(BIN)/python -m entrepot.docgen docs

torture: .venv/test.stamp ## kill the server 500 times under 16 clients, play 1000 stories, check all each time, two hours or so
	ENTREPOT_KILLS=500 ENTREPOT_KILL_CLIENTS=16 $(BIN)/python -m pytest tests/clients/test_kill.py -s
	ENTREPOT_NODE_ROUNDS=10 ENTREPOT_NODE_STORES="bucket folder" $(BIN)/python -m pytest tests/nodes
	ENTREPOT_STORIES=1000 $(BIN)/python -m pytest tests/registry/test_machine.py tests/crash

soak: .venv/test.stamp ## 20 minutes of everything at once by 32 clients, then count what is left
	ENTREPOT_SOAK_SECONDS=1200 ENTREPOT_SOAK_CLIENTS=32 $(BIN)/python -m pytest tests/clients/test_soak.py -s

bench: .venv/test.stamp ## measure beside other registries, 20 minutes; BENCH=--quick, --big, --only NAME ...
	sh scripts/install-clients docker-registry:docker-registry nginx:nginx-light wrk:wrk pg_ctlcluster:postgresql
	$(BIN)/python -m bench --write docs/benchmarks.md $(BENCH)

clean: ## remove what was installed and cached; data stays
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .hypothesis src/*.egg-info

.venv/pip.stamp: requirements/build.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/build.txt
	@touch $@

.venv/run.stamp: .venv/pip.stamp requirements/run.txt pyproject.toml
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.venv/test.stamp: .venv/run.stamp requirements/test.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/test.txt
	@touch $@
