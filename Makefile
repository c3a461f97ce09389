# The names of these targets are a contract: `make help` lists what each does.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

TOOLS := $(CURDIR)/.tools
export PATH := $(TOOLS)/venv/bin:$(HOME)/.cargo/bin:$(PATH)

NEXTEST_VERSION := 0.9.143
DENY_VERSION := 0.20.2
GRPCURL_VERSION := 1.8.6.post2
BUF_VERSION := 1.75.0

DATA ?= data

.PHONY: help
help: ## Say what each target does
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-8s %s\n", $$1, $$2 }'

.PHONY: run
run: ## Start the whole mesh on SQLite with demo users (Ctrl-C stops it; DATA=dir keeps it elsewhere)
	cargo run --release --package hongbao -- up --data-dir $(DATA) --demo-users

.PHONY: mesh
mesh: ## Start every service as a process of its own on ENGINES=redis,postgres (redis-cluster, mysql, sqlite); needs `make deps`
	cargo build --release --bins
	cargo run --release --bin hongbao -- mesh $(if $(ENGINES),--engines $(ENGINES)) --data-dir $(DATA)/mesh --demo-users

.PHONY: demo
demo: ## Play five packets on a mesh of its own and reconcile; with ENGINES=… as for mesh on such a mesh
ifdef ENGINES
	cargo build --release --bins
	cargo run --release --bin hongbao -- demo --engines $(ENGINES)
else
	cargo run --release --package hongbao -- demo
endif

.PHONY: sim
sim: ## Simulate the mesh with faults from SEEDS=1000 seeds (FROM=first), or replay one step by step: SEED=…
	cargo run --release --quiet --package sim -- $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),1000) --from $(or $(FROM),0)) $(if $(WITHOUT),--without $(WITHOUT))

.PHONY: chaos
chaos: ## Do the worst to a mesh under load for DURATION=2m, drawn from SEED=…, and check that nothing was lost; ENGINES=… as for mesh; needs `make deps`
	cargo build --release --bins
	cargo run --release --bin hongbao -- chaos --data-dir $(DATA)/chaos \
		$(if $(DURATION),--duration $(DURATION)) $(if $(SEED),--seed $(SEED)) $(if $(ENGINES),--engines $(ENGINES))

.PHONY: test
test: deps ## Run every test
	cargo nextest run --workspace --locked
	cargo test --workspace --doc --locked

.PHONY: lint
lint: deps ## Check formatting, lints, protos, documentation and the dependency tree
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- --deny warnings
	cd proto && buf lint && buf format --diff --exit-code
	RUSTDOCFLAGS='--deny warnings' cargo doc --workspace --no-deps --document-private-items --locked
	cargo deny --all-features check bans licenses sources

.PHONY: deps
deps: ## Install what tests, lints and the mesh need and this machine lacks
	@.ci/deps '$(TOOLS)' '$(NEXTEST_VERSION)' '$(DENY_VERSION)' '$(GRPCURL_VERSION)' '$(BUF_VERSION)'
