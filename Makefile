# Two commands for a newcomer: `make run` and `make test`. The others are for those who work here.

CARGO ?= cargo
export CARGO_NET_RETRY = 5

.DEFAULT_GOAL := help
.PHONY: help run build test bench bench-stream bench-udp bench-mail bench-gm fmt lint deny docs fuzz packages

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## build a release and start `alb quickstart`: a gateway to try, with nothing configured
	scripts/install-packages build
	$(CARGO) build --release --locked
	target/release/alb quickstart

build: ## build a release: target/release/alb
	scripts/install-packages build
	$(CARGO) build --release --locked

test: packages ## install what the tests drive (nginx, curl, h2load, grpcio, …) and run them all
	scripts/test

packages:
	scripts/install-packages build test
	scripts/python-venv

bench: ## compare with nginx and HAProxy on one pinned core and print the ratios
	scripts/install-packages build bench
	$(CARGO) build --release --locked --package alb --package alb-benches
	benches/run

bench-stream: ## compare TCP streams with nginx and HAProxy: bytes, exchanges, short sessions, memory
	scripts/install-packages build bench
	$(CARGO) build --release --locked --package alb --package alb-benches
	benches/stream

bench-udp: ## compare UDP streams with those of nginx on one pinned core and print the ratios
	scripts/install-packages build bench
	$(CARGO) build --release --locked --package alb --package alb-benches
	benches/udp

bench-mail: ## compare the mail proxy with nginx's mail module on one pinned core: logins, messages, volume, memory
	scripts/install-packages build bench
	$(CARGO) build --release --locked --package alb --package alb-benches
	benches/mail

bench-gm: ## compare our SM2, SM3 and SM4 with both builds of Tongsuo, primitives, handshakes and records
	scripts/install-packages build
	benches/gm

fmt: ## format everything
	$(CARGO) fmt --all
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml

lint: ## rustfmt and clippy as CI runs them
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

deny: ## licences, sources and the ban on a second TLS stack
	scripts/deny

docs: ## build the API documentation; a broken link is an error
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" $(CARGO) doc --workspace --no-deps --document-private-items --locked

fuzz: ## run every fuzz target for a minute (FUZZ_SECONDS=60); see docs/testing.md
	scripts/fuzz
