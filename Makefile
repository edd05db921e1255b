# coral: make, make check, make demo, make install.  V=1 shows commands, DEV=1 is the strict build.
CC ?= gcc
PREFIX ?= /usr/local
DESTDIR ?=
V ?= 0
DEV ?= 0
VERSION := 0.1.0
BUILD ?= build/$(if $(filter 1,$(DEV)),dev,release)

Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' '$(1)' '$(2)')

ROOMS := base screen pty target transport record audit replay session client agent cli
SRCS := $(foreach r,$(ROOMS),$(sort $(wildcard src/$(r)/*.c)))
OBJS := $(SRCS:src/%.c=$(BUILD)/%.o)
LIB := $(BUILD)/libcoral.a
MAIN := $(BUILD)/cli/main.o

PKGS := libssh libcrypto jansson yaml-0.1 vterm termkey readline libseccomp zlib libzstd libsodium
CPPFLAGS += -D_GNU_SOURCE -Isrc -DCORAL_VERSION='"$(VERSION)"' -DLIBSSH_STATIC
CFLAGS ?= -O2
CFLAGS += -std=gnu11 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
  -Wwrite-strings -Wformat=2 -Wvla -Wundef -Wpointer-arith -Wimplicit-fallthrough
CFLAGS += -fstack-protector-strong -fno-strict-aliasing
# libssh always as an archive: what it signs and verifies goes by way of remote_pki.c.
LDFLAGS += -Wl,--wrap=pki_sign_data,--wrap=ssh_pki_signature_verify
LDFLAGS += -Wl,--wrap=ssh_pki_import_signature_blob,--wrap=ssh_pki_import_pubkey_blob
LDLIBS = -Wl,--start-group $(LIB) -l:libssh.a -lssl -lcrypto -lz -ljansson -lyaml -lvterm -ltermkey -lunibilium \
  -lreadline -ltinfo -lseccomp -lzstd -lsodium -Wl,--end-group -lpthread -ldl -lm
ifeq ($(DEV),1)
CFLAGS += -Werror -O1 -g -fsanitize=address,undefined -fno-omit-frame-pointer
LDFLAGS += -fsanitize=address,undefined
else
CPPFLAGS += -D_FORTIFY_SOURCE=2
LDFLAGS += -static -Wl,-z,relro,-z,now -Wl,--wrap=recv,--wrap=poll
endif

# A static link warns of NSS each time; --no-warnings would hide undefined symbols as well.
quiet_ld = 2>$@.ld || { cat $@.ld >&2; rm -f $@.ld; exit 1; }; rm -f $@.ld

all: $(BUILD)/coral $(BUILD)/coral-audit-index

$(BUILD)/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(LIB): $(filter-out $(MAIN),$(OBJS))
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/coral: $(MAIN) $(LIB)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(MAIN) $(LDLIBS) $(quiet_ld)

# The index of the audit log: a program of its own, for SQLite is a fifth of coral's size.
INDEX_OBJS := $(patsubst src/%.c,$(BUILD)/%.o,$(sort $(wildcard src/audit_index/*.c)))
$(BUILD)/coral-audit-index: $(INDEX_OBJS) $(LIB)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(INDEX_OBJS) -l:libsqlite3.a $(LDLIBS) $(quiet_ld)

# Unit tests: one program a file, each speaks TAP.
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/*.c))
$(BUILD)/unit/%: tests/unit/%.c tests/unit/tap.h $(LIB)
	@mkdir -p $(@D)
	$(call say,TEST,$<)
	$(Q)$(CC) $(CPPFLAGS) -Itests/unit $(CFLAGS) $(LDFLAGS) -o $@ $< $(LDLIBS) $(quiet_ld)
unit: $(UNIT)

clean:
	$(Q)rm -rf build

# The completion scripts are part of the binary (coral completion bash|zsh|fish prints them), and so
# are the parts of an exported page.
$(BUILD)/replay/export_html.o: $(wildcard src/replay/export_page.*)
$(BUILD)/cli/cmd_completion.o: completions/coral.bash completions/_coral completions/coral.fish

include tests/test.mk
-include $(OBJS:.o=.d) $(INDEX_OBJS:.o=.d)
.PHONY: all unit clean
