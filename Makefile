# Athanor. `make` lists the targets. Each sets up what it needs: .venv by uv if present, else venv + pip.
SHELL := /bin/sh
PY := .venv/bin/python
SEEDS ?= 20
# compiled files are kept: without them every start reads all sources again
unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help
.PHONY: help core dev up demo test check golden bench bench-full kube helm image conformance acceptance acceptance-full \
	acceptance-kube verify lock crds docs clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

core:
	@sh tools/setup.sh core
dev:
	@sh tools/setup.sh dev

up: core  ## start the platform on this machine (Ctrl-C ends it)
	@.venv/bin/athanor up

demo: core  ## the whole story on real input: two teams, a quota, a real distributed training, a failure, a recovery
	@$(PY) examples/demo.py

test: dev  ## unit, properties, golden, tidy, 20 seeds of simulation, lint, types
	@ATHANOR_SIM_SEEDS=$(SEEDS) $(PY) -m tests.run check pytest

check: dev  ## lint, types, import contracts
	@$(PY) -m tests.run check

golden: dev  ## the golden scripts: command, expected text, prose between
	@$(PY) -m tests.run golden

bench: dev  ## the figures, at most five minutes; NAME=... picks one
	@$(PY) -m bench $(NAME)

bench-full: dev  ## all figures, long ones too
	@$(PY) -m bench --full $(NAME)

kube: dev  ## build a real Kubernetes control plane for tests, once, into a cache (Go, 4-7 minutes)
	@$(PY) -m tests.conformance.kube.plane

helm: dev  ## build the real helm for tests, once, into a cache (Go, 2-10 minutes)
	@$(PY) -m tests.conformance.kube.helm

image: dev  ## write the container image as an OCI archive into dist/, without a container engine (Debian)
	@$(PY) -m tools.image dist/athanor-image.tar

conformance: dev  ## the same scenarios on our API server and a real one; kubectl and other people's clients
	@$(PY) -m tests.run conformance

acceptance: dev  ## real processes, ports and signals
	@$(PY) -m tests.run acceptance

acceptance-full: dev  ## the same, with the frameworks that are dear to install (several GB, cached)
	@ATHANOR_FULL=1 $(PY) -m tests.run acceptance

acceptance-kube: dev  ## the controllers inside a Kubernetes of two real nodes with containers (Debian, root)
	@$(PY) -m tests.run acceptance-kube

verify: dev  ## all of it: 200 simulation seeds, conformance on both servers, acceptance
	@ATHANOR_SIM_SEEDS=200 ATHANOR_EXAMPLES=200 $(PY) -m tests.run \
		check pytest conformance acceptance acceptance-kube demo

lock: dev  ## write the hashed requirements files anew (needs uv)
	@sh tools/lock.sh

crds: dev  ## write deploy/ (definitions, manifests, Helm chart) from the Structs
	@$(PY) tools/crds.py && $(PY) tools/chart.py

docs: dev  ## write the generated part of docs/reference
	@$(PY) tools/docs.py

clean:  ## remove the environment and caches
	rm -rf .venv .demo build dist .mypy_cache .ruff_cache .hypothesis .import_linter_cache
