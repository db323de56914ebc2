# `make` alone lists the targets. Each target brings its own set-up.

# A login that never sourced rustup's env still finds cargo.
export PATH := $(PATH):$(HOME)/.cargo/bin
CARGO ?= cargo
PREFIX ?= /usr/local
# CI sets --locked here.
CARGO_FLAGS ?=
# For soak: how many worlds, and the first; each prints its seed.
WORLDS ?= 2000
SEED ?= $(shell date +%s)

# For soak: how long each fuzz target runs.
FUZZ_SECONDS ?= 60

.DEFAULT_GOAL := help
.PHONY: help demo test check peers soak fuzz bench ebpf setup install clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: setup ## watch a guarded application: real processes allowed and refused, each with its reason
	@$(CARGO) build $(CARGO_FLAGS) -p palisade
	@$(CARGO) run -q $(CARGO_FLAGS) -p palisade -- demo

test: setup ## run every test (as root: also those that need network namespaces and BPF)
	$(CARGO) test $(CARGO_FLAGS) --workspace

check: setup ## format, lints, layers, licences and sources of what comes in
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(CARGO_FLAGS) --workspace --all-targets -- -D warnings
	$(CARGO) test $(CARGO_FLAGS) -q -p palisade-house

peers: setup ## build ahead what tests compare with: cosign, osv-scanner, an API server, ... (needs Go)
	$(CARGO) run -q $(CARGO_FLAGS) -p palisade-peers

soak: setup fuzz ## hours of it: WORLDS random worlds from SEED on, 100 killed agents, 1,000 changes (root)
	PALISADE_WORLDS=$(WORLDS) PALISADE_SEED=$(SEED) $(CARGO) test $(CARGO_FLAGS) --profile soak -p palisade --test worlds_in_the_kernel -- --nocapture
	PALISADE_WORLDS=$(WORLDS) PALISADE_SEED=$(SEED) $(CARGO) test $(CARGO_FLAGS) --profile soak -p palisade --test cyclonus -- --nocapture
	PALISADE_GO_PROGRAMS=100 $(CARGO) test $(CARGO_FLAGS) --profile soak -p palisade --test linked_functions -- --nocapture
	PALISADE_KILLS=100 PALISADE_CHANGES=1000 $(CARGO) test $(CARGO_FLAGS) --profile soak -p palisade --test endurance -- --nocapture --test-threads=1

fuzz: setup ## changed inputs for FUZZ_SECONDS against each parser and the evaluator, guided by what they reach
	RUSTFLAGS="$(RUSTFLAGS) -C instrument-coverage --cfg coverage_guidance" LLVM_PROFILE_FILE=/dev/null CARGO_TARGET_DIR=target/fuzz \
		$(CARGO) run $(CARGO_FLAGS) -q --profile fuzz -p palisade-fuzz -- --seconds $(FUZZ_SECONDS) --seed $(SEED)

bench: setup ## measure what docs/performance.md reports (root)
	$(CARGO) bench $(CARGO_FLAGS) -q -p palisade-policy --bench engine
	$(CARGO) bench $(CARGO_FLAGS) -q -p palisade --bench guard
	$(CARGO) bench $(CARGO_FLAGS) -q -p palisade --bench images

ebpf: setup ## build only the kernel's half (bpf/) and its bindings
	$(CARGO) build $(CARGO_FLAGS) -p palisade-bpf

setup: ## check what the build needs; install it when root on Debian or Ubuntu, else name it
	@scripts/setup

install: setup ## install the program to $(PREFIX)/bin
	$(CARGO) install --locked --path crates/palisade --root $(PREFIX)

clean: ## remove what was built
	$(CARGO) clean
