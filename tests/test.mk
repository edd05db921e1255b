# Tests, lint, fuzzing, benchmarks, the demo and the installation.
TEST_LIB := tests/lib
FUZZ_SECONDS ?= 60
FUZZ_NAMES := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BIN := $(FUZZ_NAMES:%=$(BUILD)/fuzz/%)
bindir = $(DESTDIR)$(PREFIX)/bin
datadir = $(DESTDIR)$(PREFIX)/share
libexecdir = $(DESTDIR)$(PREFIX)/libexec/coral

deps:
	$(Q)$(TEST_LIB)/deps.sh all
deps-build deps-clients: deps-%:
	$(Q)$(TEST_LIB)/deps.sh $*

# Everything that needs Debian alone; ALSO=clients adds that tier.  The last line is "N passed, N
# failed".
check: deps $(ALSO:%=deps-%)
	$(Q)$(TEST_LIB)/check.sh unit sanitized corpus lint kernels $(ALSO) container
check-unit:
	$(Q)$(TEST_LIB)/check.sh unit
check-container: deps
	$(Q)$(TEST_LIB)/check.sh container
check-kernels: deps
	$(Q)$(TEST_LIB)/check.sh kernels
# Needs the npm registry, the first time.
check-clients: deps-clients
	$(Q)$(TEST_LIB)/check.sh clients
lint:
	$(Q)$(TEST_LIB)/check.sh lint

# Every harness under libFuzzer for a minute; in `make check` the corpus is replayed instead.
FUZZ_FLAGS := -fsanitize=fuzzer-no-link,address,undefined
fuzz: deps
	$(Q)CFLAGS="-O1 -g $(FUZZ_FLAGS)" $(MAKE) --no-print-directory CC=clang-14 DEV=1 \
	  BUILD=build/fuzz FUZZ_ENGINE=-fsanitize=fuzzer fuzz-build
	$(Q)$(TEST_LIB)/fuzz.sh build/fuzz/fuzz $(FUZZ_SECONDS)
fuzz-build: $(FUZZ_BIN)
FUZZ_ENGINE ?= tests/fuzz/replay.c
$(BUILD)/fuzz/%: tests/fuzz/%.c $(LIB)
	@mkdir -p $(@D)
	$(call say,FUZZ,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< $(FUZZ_ENGINE) $(LDLIBS) $(quiet_ld)

# coral with a transport that does whatever its peer says: for tests, and never installed.
HOSTILE := $(BUILD)/hostile/coral
# And a client that breaks the rules of SSH.
PEER := $(BUILD)/hostile/peer
hostile: $(HOSTILE) $(PEER)
$(PEER): tests/hostile/peer.c $(LIB)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -Wl,--wrap=_ssh_buffer_pack,--wrap=ssh_pki_do_sign -o $@ $< $(LDLIBS) $(quiet_ld)
$(HOSTILE): tests/hostile/transport.c $(MAIN) $(LIB)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< $(MAIN) $(LDLIBS) $(quiet_ld)

$(BUILD)/bench/%: tests/bench/%.c $(LIB)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< $(LDLIBS) $(quiet_ld)
bench: deps all $(BUILD)/bench/crowd $(BUILD)/bench/find $(BUILD)/bench/big_cast $(BUILD)/bench/archive $(BUILD)/bench/peak
	$(Q)CORAL_BENCH_BIN=$(BUILD)/bench /usr/bin/python3 -B tests/bench/bench.py
demo: deps-build
	$(Q)$(MAKE) --no-print-directory all
	$(Q)tests/demo/demo.sh $(BUILD)/coral
# Record the real demo again, by coral itself.
asciicasts: deps all
	$(Q)CORAL_ASCIICASTS_UPDATE=1 $(TEST_LIB)/pytest.sh tests/container/test_asciicasts.py

install: all
	install -d $(bindir) $(libexecdir) $(datadir)/bash-completion/completions $(datadir)/zsh/site-functions \
	  $(datadir)/fish/vendor_completions.d
	install -m 0755 $(BUILD)/coral $(bindir)/coral
	install -m 0755 $(BUILD)/coral-audit-index $(libexecdir)/coral-audit-index
	install -m 0644 completions/coral.bash $(datadir)/bash-completion/completions/coral
	install -m 0644 completions/_coral $(datadir)/zsh/site-functions/_coral
	install -m 0644 completions/coral.fish $(datadir)/fish/vendor_completions.d/coral.fish
	for page in man/*.[1-8]; do d=$(datadir)/man/man$${page##*.}; \
	  install -d $$d && install -m 0644 $$page $$d/ || exit 1; done

.PHONY: deps deps-build deps-clients check check-unit check-container check-kernels check-clients lint fuzz fuzz-build hostile bench demo asciicasts install
