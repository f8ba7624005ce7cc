# Everything the project's people and its CI run. `make` alone lists it.

GO       ?= go
PKG      ?= ./...
FUZZTIME ?= 10s
COUNT    ?= 3
BENCH    ?= .
OPS      ?= 1000000
ROUNDS   ?= 200
MACHINES ?= 100

DIFFERENTIAL_FLAGS ?= -ops=$(OPS) -v

# A module of its own builds the linter, so that none of it reaches go.mod.
GOLANGCI_VERSION := v2.15.0
GOLANGCI         := bin/golangci-lint-$(GOLANGCI_VERSION)

# The race detector needs a C compiler. Without one the tests run all the same,
# and say that they ran without it.
RACE := $(shell command -v "$$($(GO) env CC | cut -d' ' -f1)" >/dev/null 2>&1 && echo -race)

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## fetch the modules; the linter builds itself at the first `make lint`
	$(GO) mod download

.PHONY: build
build: ## compile every package
	$(GO) build ./...

.PHONY: vet
vet: ## go vet
	$(GO) vet ./...

.PHONY: postgres
postgres: ## install PostgreSQL and PgBouncer where they are missing, root on Debian permitting
	@$(if $(GODWIT_TEST_POSTGRES),,sh internal/pgtest/install.sh || echo "$@: the tests that need what is missing are skipped")

.PHONY: test
test: setup vet postgres ## the tests, shuffled, under the race detector (needs only Go and make)
	@$(if $(RACE),,echo "make test: no C compiler found, so the race detector is off")
	$(if $(RACE),CGO_ENABLED=1) $(GO) test $(RACE) -shuffle=on -timeout=15m $(PKG)

.PHONY: race
race: ## the tests COUNT times over under the race detector
	CGO_ENABLED=1 $(GO) test -race -shuffle=on -count=$(COUNT) -timeout=30m $(PKG)

.PHONY: lint
lint: $(GOLANGCI) ## golangci-lint and the rules of the house
	$(GOLANGCI) run
	cd bench && ../$(GOLANGCI) run
	cd bench/peers && ../../$(GOLANGCI) run
	$(GO) test ./internal/archtest

.PHONY: fmt
fmt: $(GOLANGCI) ## format every Go file
	$(GOLANGCI) fmt

$(GOLANGCI):
	@mkdir -p bin
	GOBIN="$(CURDIR)/bin" $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	@mv bin/golangci-lint $@

.PHONY: snippets
snippets: ## copy the marked regions of compiled files, and tables of reports, into the Markdown that shows them
	$(GO) test ./internal/archtest -run '^TestSnippets' -update

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME
	@set -e; grep -rl --include='*_test.go' '^func Fuzz' . | xargs -r -n1 dirname | sort -u | while read -r dir; do \
		for target in $$(grep -h '^func Fuzz' "$$dir"/*_test.go | sed 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/'); do \
			echo "$$dir $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$dir"; \
		done; \
	done

.PHONY: differential
differential: ## one seeded stream of OPS operations through every store, compared at each step
	$(GO) test ./storetest -run TestDifferential -timeout=60m $(DIFFERENTIAL_FLAGS)

.PHONY: crash
crash: postgres ## kill the program ROUNDS times, stop it, take its power away; break a cluster on PostgreSQL MACHINES times; print the figures
	$(GO) test ./internal/crash -run '^Test(Machines)?Crash$$' -parallel=1 -v -timeout=60m -rounds=$(ROUNDS) -machines=$(MACHINES)

.PHONY: cold
cold: ## how long it takes from `git clone` to the first result with nothing in the caches of Go; downloads the modules
	sh internal/demo/cold.sh

.PHONY: microbench
microbench: ## the Go benchmarks that match BENCH
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem $(PKG)

.PHONY: bench
bench: ## durable jobs beside their peers: a night, and installs what they need (docs/benchmarks.md)
	sh bench/install.sh
	cd bench && $(GO) run ./durable $(BENCH_FLAGS)

.PHONY: bench-smoke
bench-smoke: ## see that the benchmark works, with all that needs nothing installed, in a minute or two
	cd bench/peers && $(GO) vet ./...
	cd bench && $(GO) vet ./... && $(GO) test ./... && $(GO) run ./durable -smoke $(BENCH_FLAGS)

.PHONY: bench-compare
bench-compare: ## fail if durable jobs are slower than in the newest report of bench/results
	cd bench && $(GO) run ./durable -compare $(BENCH_FLAGS)

.PHONY: ci
ci: build lint test ## exactly what CI runs
	$(MAKE) bench-smoke BENCH_FLAGS=-peers=false
