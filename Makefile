# Assay's verbs. `make demo` and `make test` do all the set-up they need on a machine that has Rust, gcc, make and
# python3 with pip; a second run does not repeat it.

SHELL := /bin/sh
CARGO ?= cargo
ASSAY_HOME ?= $(CURDIR)/.assay
export ASSAY_HOME

# Arguments for the demo: ONCE=1 ends by itself, ARGS="…" is passed on.
DEMO_ARGS := $(if $(ONCE),--once) $(ARGS)
CYCLES ?= 25
MINUTES ?= 10
BENCH_ARGS := $(if $(QUICK),--quick) $(ARGS)
NEXTEST := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo yes)
# Long tests wait for blocks and deadlines, so there is room for half as many again as there are cores.
export NEXTEST_TEST_THREADS ?= $(shell expr $$(nproc) '*' 3 / 2)

.PHONY: help setup demo test lint bench-ledger bench-domain bench-axon bench chaos interop fuzz compose-test

help:
	@echo "make demo          the main job: chain, miners, validator, API, one audited epoch after another (ONCE=1 ends by itself)"
	@echo "make test          every test, with the services it needs"
	@echo "make lint          format, lints as errors, documentation"
	@echo "make chaos         kill -9 and crash tests (CYCLES=$(CYCLES))"
	@echo "make bench-ledger  appending and reading beside postgres-es, time of an audit (QUICK=1: shorter)"
	@echo "make bench-domain  scoring and folding, beside numpy where it has a peer (QUICK=1: shorter)"
	@echo "make interop       axon and dendrite of the Python SDK against ours, both ways, and the SDK on our chain"
	@echo "make bench-axon    our axon beside that of the Python SDK, and a dendrite that asks 256 miners (QUICK=1: shorter)"
	@echo "make compose-test  docker-compose.yml on a real engine, from up to down (as root on Debian it installs one; COMPILE=1: in the image)"
	@echo "make fuzz          readers of network input on changed bytes (MINUTES=10 for each)"
	@echo "make bench         memory of an audit, bytes of a round, embedding (QUICK=1: shorter)"
	@echo "make setup         only the set-up: PostgreSQL's binaries, embedding model, ONNX Runtime"

setup:
	@sh scripts/setup-postgres.sh
	@sh scripts/setup-models.sh

# What a verb does and how long it takes comes before its set-up, so these call it rather than depend on it.
demo:
	@echo "demo: sets up what is missing, builds assay (a first build takes about 7 minutes on two cores), then runs chain, miners, validator and API and audits each epoch"
	@$(MAKE) --no-print-directory setup
	@$(CARGO) build --release --locked --quiet --bin assay
	@./target/release/assay demo $(DEMO_ARGS)

test:
	@echo "test: sets up what is missing, builds and runs every test (a first build takes about 5 minutes on two cores, the tests 5 more)"
	@$(MAKE) --no-print-directory setup
ifeq ($(NEXTEST),yes)
	@$(CARGO) nextest run --workspace --locked --no-fail-fast
	@$(CARGO) test --workspace --locked --doc --quiet
else
	@$(CARGO) test --workspace --locked --no-fail-fast
endif

lint:
	@$(CARGO) fmt --all --check
	@$(CARGO) clippy --workspace --all-targets --all-features --locked -- -D warnings
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked --quiet

chaos: setup
	@echo "chaos: building (a first build takes about 4 minutes on two cores)"
	@$(CARGO) build --locked --quiet --bin assay --bin chaos
	@./target/debug/chaos --cycles $(CYCLES) $(ARGS)

# Both print one line a figure, `name ours peer ratio`, after lines of settings and runs that begin with a hash sign. QUICK=1 takes
# fewer and shorter runs.
bench-ledger: setup
	@echo "bench-ledger: building in release mode (a first build takes about 5 minutes on two cores)"
	@$(CARGO) bench --locked --quiet -p ledger --bench ledger -- $(BENCH_ARGS)
	@$(CARGO) bench --locked --quiet -p ledger --bench reading -- $(BENCH_ARGS) reading audit

bench-domain:
	@echo "bench-domain: building in release mode (a first build takes about a minute on two cores)"
	@sh scripts/setup-numpy.sh
	@PYTHONPATH=$(ASSAY_HOME)/python $(CARGO) bench --locked --quiet -p domain --bench domain -- $(BENCH_ARGS)

# The SDK asks PyPI once; afterwards nothing leaves the machine.
interop:
	@echo "interop: installs bittensor 10.5.0 from PyPI where it is missing, then builds (a first build takes about 2 minutes on two cores)"
	@sh scripts/interop/run.sh

# Exit code 75: no engine can be had here.
compose-test:
	@echo "compose-test: brings docker-compose.yml up, uses and breaks it, takes it down (about 10 minutes; 10 more for a first build and base images)"
	@bash scripts/compose-test.sh

bench-axon:
	@echo "bench-axon: building in release mode (a first build takes about 3 minutes on two cores)"
	@sh scripts/setup-interop.sh
	@$(CARGO) bench --locked --quiet -p axon --bench axon -- $(BENCH_ARGS)

# One thread a core; what breaks a reader is kept beside the seeds. ARGS="--only events" takes one of them, ARGS=--list names all.
fuzz:
	@echo "fuzz: building in release mode (a first build takes about 3 minutes on two cores), then $(MINUTES) minutes for each of 22 readers"
	@$(CARGO) run --release --locked --quiet -p fuzz -- --minutes $(MINUTES) $(ARGS)

bench: setup
	@echo "bench: building in release mode (a first build takes about 5 minutes on two cores)"
	@$(CARGO) bench --locked --quiet -p ledger --bench reading -- $(BENCH_ARGS) memory bytes
	@$(CARGO) bench --locked --quiet -p inference --bench sentences
	@$(CARGO) bench --locked --quiet -p inference --bench rewards
