# The fuzzing targets of the Makefile in the parent folder. README.md describes their use.

FUZZ_TARGETS ?= scan splice multipart path document protobuf_struct sse answers prompt page
FUZZ_SECONDS ?= 60
FUZZ_DIR := $(abspath $(or $(CARGO_TARGET_DIR),target))/fuzz
# The instrumentation that guides libFuzzer. Every rustc includes this LLVM pass, so no nightly toolchain is needed.
FUZZ_FLAGS := -Cpasses=sancov-module -Ccodegen-units=1 \
	$(addprefix -Cllvm-args=-sanitizer-coverage-,level=4 inline-8bit-counters pc-table trace-compares)
# On macOS the filter's library would not link on its own. Nothing loads it here.
FUZZ_FLAGS += $(if $(filter Darwin,$(shell uname)),-Clink-arg=-undefined -Clink-arg=dynamic_lookup)
FUZZ_HOST = $$(rustc -vV | sed -n 's/^host: //p')
# Runs each target with these libFuzzer arguments. New inputs go into this folder.
FUZZ = for target in $(FUZZ_TARGETS); do \
		found="$(FUZZ_DIR)/$(2)/$$target"; log="$(FUZZ_DIR)/$$target.log"; \
		mkdir -p "$$found" || exit 1; \
		"$(FUZZ_DIR)/$(FUZZ_HOST)/release/$$target" -artifact_prefix="$(FUZZ_DIR)/$$target-" -max_len=4096 $(1) \
			"$$found" "fuzz/seeds/$$target" "fuzz/corpus/$$target" >"$$log" 2>&1 || { tail -n 60 "$$log" >&2; echo "$$target failed" >&2; exit 1; }; \
		sed -n "s/^\(\#[0-9]*\)[[:space:]]*DONE */$$target: \1 inputs, /p" "$$log"; \
	done

fuzz: fuzz-build
	@echo '==> fuzzing, $(FUZZ_SECONDS) s each'
	@$(call FUZZ,-max_total_time=$(FUZZ_SECONDS),new)

# Runs only the kept inputs, so that the result depends on the change and not on what fuzzing happens to find that day.
fuzz-smoke: fuzz-build
	@echo '==> what fuzzing has kept'
	@rm -rf "$(FUZZ_DIR)/smoke"
	@$(call FUZZ,-runs=0,smoke)

# Merges the inputs that `make fuzz` has found into the corpus, and removes those that add nothing to the seeds and the rest.
fuzz-merge: fuzz-build
	@for target in $(FUZZ_TARGETS); do \
		merged="$(FUZZ_DIR)/merged/$$target"; log="$(FUZZ_DIR)/$$target.log"; \
		rm -rf "$$merged" && mkdir -p "$(FUZZ_DIR)/merged" "$(FUZZ_DIR)/new/$$target" || exit 1; \
		cp -R "fuzz/seeds/$$target" "$$merged" || exit 1; \
		"$(FUZZ_DIR)/$(FUZZ_HOST)/release/$$target" -set_cover_merge=1 -use_counters=0 -max_len=4096 \
			"$$merged" "fuzz/corpus/$$target" "$(FUZZ_DIR)/new/$$target" \
			>"$$log" 2>&1 || { tail -n 60 "$$log" >&2; exit 1; }; \
		(cd "fuzz/seeds/$$target" && for seed in *; do rm "$$merged/$$seed"; done) || exit 1; \
		rm -rf "fuzz/corpus/$$target" && cp -R "$$merged" "fuzz/corpus/$$target" || exit 1; \
		echo "$$target: $$(ls "$$merged" | wc -l | tr -d ' ') inputs"; \
	done

fuzz-build: rust
	@$${CXX:-c++} --version >/dev/null 2>&1 || { \
		echo 'A C++ compiler is missing, which builds libFuzzer: apt-get install g++, or xcode-select --install' >&2; exit 1; }
	@echo '==> fuzz targets'
	@RUSTFLAGS='$(FUZZ_FLAGS)' cargo build $(CARGO_FLAGS) --quiet --release --manifest-path fuzz/Cargo.toml \
		--target $(FUZZ_HOST) --target-dir "$(FUZZ_DIR)"
