# Sluice: build, run, test. `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

BINARY := target/release/sluice
BENCH := target/release/sluice-bench
CARGO_FLAGS := --release --locked
CHROMIUM ?= $(shell command -v chromium 2>/dev/null || echo /usr/bin/chromium)

# Stamps live in node_modules, so that removing it removes them too.
NPM_STAMP := web/node_modules/.installed
WEB_STAMP := web/node_modules/.built
WEB_SOURCES := $(shell find web/src web/public -type f 2>/dev/null) \
	web/index.html web/package.json web/package-lock.json web/tsconfig.json web/vite.config.ts

# A dist folder that was removed, or that holds no client, is built again whatever the stamp says.
ifeq ($(wildcard web/dist/assets/*.js),)
.PHONY: $(WEB_STAMP)
endif

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 18

.PHONY: run
run: build ## Build what has changed and start the server (PORT=4000 by default)
	$(BINARY)

.PHONY: build
build: tools web ## Build target/release/sluice with the web client inside
	cargo build $(CARGO_FLAGS) --package server

.PHONY: web
web: tools $(WEB_STAMP) ## Build the web client into web/dist

.PHONY: test
test: tools test-format test-lint test-web build test-rust test-instructions test-deny test-binary test-bench test-browser ## Check everything: formats, lints, all tests
	@echo "test: everything passed"

.PHONY: measure
measure: build chromium ## Print measurements made with a real browser
	cd web && CHROMIUM=$(CHROMIUM) SLUICE_BIN=$(CURDIR)/$(BINARY) npm run --silent measure

.PHONY: baselines
baselines: instructions ## Keep the present instruction counts as what `make test` compares with
	target/release/instructions --write

.PHONY: bench
bench: build $(BENCH) ## Run the standard benchmarks, and rewrite benches/RESULTS.md (ten minutes; keep the machine idle)
	$(BENCH) table --server $(BINARY) --out benches/RESULTS.md

# Not part of anything else: mediasoup's worker is C++, which its package brings, or builds where it cannot.
.PHONY: bench-mediasoup
bench-mediasoup: build $(BENCH) ## The same with mediasoup beside it, in turn
	cd benches/mediasoup && npm ci
	$(BENCH) table --server $(BINARY) --mediasoup benches/mediasoup/server.mjs --out benches/RESULTS.md

.PHONY: fmt
fmt: tools $(NPM_STAMP) ## Format all code
	cargo fmt --all
	cd web && npm run --silent format

.PHONY: clean
clean: ## Remove everything that was built or installed
	rm -rf target web/node_modules web/dist web/test-results web/e2e/.dist benches/mediasoup/node_modules

# The steps of `make test`, to be run alone when one of them fails.

.PHONY: test-format
test-format: $(NPM_STAMP)
	cargo fmt --all --check
	cd web && npm run --silent format:check

# After the web client: the server embeds it when it is compiled, for a lint too.
.PHONY: test-lint
test-lint: web
	cargo clippy $(CARGO_FLAGS) --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc $(CARGO_FLAGS) --workspace --no-deps --quiet

.PHONY: test-web
test-web: $(NPM_STAMP)
	cd web && npm run --silent typecheck
	cd web && npm run --silent lint
	cd web && npm run --silent test

.PHONY: test-rust
test-rust:
	@if cargo nextest --version >/dev/null 2>&1; then \
		cargo nextest run $(CARGO_FLAGS) --workspace; \
		cargo test $(CARGO_FLAGS) --workspace --doc --quiet; \
	else \
		cargo test $(CARGO_FLAGS) --workspace; \
	fi

# Counts, not times: a busy machine changes nothing.
.PHONY: test-instructions
test-instructions: instructions
	@if command -v valgrind >/dev/null; then \
		target/release/instructions; \
	else \
		echo "test-instructions: SKIPPED, valgrind is not installed (apt-get install valgrind)"; \
	fi

.PHONY: test-deny
test-deny:
	.ci/check-bans
	@if cargo deny --version >/dev/null 2>&1; then \
		cargo deny --locked check; \
	else \
		echo "test-deny: licences and advisories SKIPPED, cargo-deny is not installed (cargo install --locked cargo-deny)"; \
	fi

.PHONY: test-binary
test-binary: build
	.ci/check-no-cpp $(BINARY)

# That media arrives under a little of every load; how fast is for `make bench`.
.PHONY: test-bench
test-bench: build $(BENCH)
	$(BENCH) check --server $(BINARY)

.PHONY: test-browser
test-browser: build chromium network-tools
	cd web && CHROMIUM=$(CHROMIUM) SLUICE_BIN=$(CURDIR)/$(BINARY) npm run --silent e2e

# What the targets above stand on.

.PHONY: $(BENCH)
$(BENCH): tools
	cargo build $(CARGO_FLAGS) --package benches --bin sluice-bench

.PHONY: tools
tools:
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust from https://rustup.rs"; exit 1; }
	@command -v cc >/dev/null || { echo "a C compiler is missing (the linker, and ring's arithmetic): apt-get install gcc libc6-dev"; exit 1; }
	@command -v npm >/dev/null || { echo "npm is missing: install Node.js 20.19 or newer"; exit 1; }

.PHONY: chromium
chromium: $(NPM_STAMP)
	@if [ ! -x "$(CHROMIUM)" ]; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update && apt-get install --yes --no-install-recommends chromium; \
		else \
			echo "the browser tests need Chromium: install it (apt-get install chromium), or set CHROMIUM to a Chrome or Chromium binary"; \
			exit 1; \
		fi; \
	fi

# With everything that `test-rust` builds, so that it is what `test-rust` has built.
.PHONY: instructions
instructions: tools web
	cargo build $(CARGO_FLAGS) --workspace --bins --tests
	@if ! command -v valgrind >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update && apt-get install --yes --no-install-recommends valgrind || echo "valgrind could not be installed"; \
	fi

# For the test of a thin link, which is skipped, and says so, where it cannot be made.
.PHONY: network-tools
network-tools:
	@if ! { command -v ip && command -v tc; } >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update && apt-get install --yes --no-install-recommends iproute2 || echo "iproute2 could not be installed"; \
	fi

$(NPM_STAMP): web/package.json web/package-lock.json
	cd web && npm ci
	@touch $@

$(WEB_STAMP): $(NPM_STAMP) $(WEB_SOURCES)
	cd web && npm run --silent build
	@touch $@
