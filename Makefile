# SPDX-License-Identifier: GPL-2.0-or-later
#
# make              build/bin/kexec, build/bin/vmcore-dmesg
# make STATIC=1     the same, static
# make demo         install what is missing, build, boot one kernel from another in QEMU
# make check        install what is missing, build, run everything that must pass
# make check-long   the long form of every suite
# make fuzz TIME=N  each fuzz target for N seconds; fuzz-coverage: what the corpora reach
# make install      DESTDIR, PREFIX, SBINDIR, UNITDIR, BASHCOMPDIR, ZSHCOMPDIR
# make sbom         what was linked in, with versions: build/kexec-ng.spdx.json
# make deb          a Debian package that takes the place of kexec-tools

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:

VERSION := 0.1
CC      ?= gcc
CLANG   ?= clang
ifeq ($(origin CC),default)
CC      := gcc
endif
BUILD   ?= build
PREFIX  ?= /usr
SBINDIR ?= $(PREFIX)/sbin
UNITDIR ?= $(PREFIX)/lib/systemd/system
BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR  ?= $(PREFIX)/share/zsh/site-functions
STATIC  ?=
WERROR  ?=
PYTHON  ?= /usr/bin/python3
JOBS    ?= $(shell nproc)

warnings := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
            -Wvla -Wundef -Wpointer-arith $(if $(WERROR),-Werror)
CFLAGS   ?= -O2 -g
# Whatever CFLAGS are: what makes a fault harder to use, and the same bytes wherever it is built.
harden   := -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE \
            -ffile-prefix-map=$(CURDIR)=.
ifneq ($(filter -O1 -O2 -O3 -Os,$(CFLAGS)),)
harden   += $(if $(findstring FORTIFY_SOURCE,$(CFLAGS) $(CPPFLAGS)),,-D_FORTIFY_SOURCE=2)
endif
link     := $(if $(STATIC),-static-pie,-pie) -Wl,-z,relro,-z,now,-z,noexecstack
common   := -std=gnu11 $(warnings) -iquote include -iquote kexec -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DKEXEC_NG_VERSION='"$(VERSION)"'
# Libraries that a build can do without: each is a -DHAVE_X and an -lX, if the compiler finds header
# and library (with STATIC=1 the static one). Without a compiler none is there.
hash := \#
has   = $(shell printf '%s\n' '$(hash)include <stdio.h>' '$(hash)include <$(1)>' 'int main(void) {}' | \
          $(CC) $(LDFLAGS) $(if $(STATIC),-static) -x c -o /dev/null - $(2) 2>/dev/null && echo yes)
opt_def     := -pthread
opt_lib     := -pthread
opt_missing :=
# $(1): X of HAVE_X, $(2): a header, $(3): the library, $(4): the Debian package
define optional
found       := $$(call has,$(2),$(3))
opt_def     += $$(if $$(found),-DHAVE_$(1))
opt_lib     += $$(if $$(found),$(3))
opt_missing += $$(if $$(found),,$(4))
endef
$(eval $(call optional,JSON_C,json-c/json.h,-ljson-c,libjson-c-dev))
$(eval $(call optional,ZLIB,zlib.h,-lz,zlib1g-dev))
$(eval $(call optional,BZIP2,bzlib.h,-lbz2,libbz2-dev))
$(eval $(call optional,LZMA,lzma.h,-llzma,liblzma-dev))
$(eval $(call optional,LZO,lzo/lzo1x.h,-llzo2,liblzo2-dev))
$(eval $(call optional,LZ4,lz4frame.h,-llz4,liblz4-dev))
$(eval $(call optional,ZSTD,zstd.h,-lzstd,libzstd-dev))
$(eval $(call optional,SECCOMP,seccomp.h,-lseccomp,libseccomp-dev))
opt_missing := $(strip $(opt_missing))

# V=1 shows the commands.
q   := $(if $(V),,@)
say := $(if $(V),@:,@printf '  %s %s\n')

src := $(sort $(wildcard kexec/*.c kexec/arch/x86/*.c))
asm := $(sort $(wildcard kexec/arch/x86/*.S))
mains    := kexec/main.c kexec/vmcore_dmesg_main.c
lib_src  = $(filter-out $(mains),$(src)) $(PURGATORY_SHARED)

.PHONY: all purgatory demo check check-long unit unit-purgatory fuzz-replay fuzz-new fuzz fuzz-coverage install deb clean
all: $(BUILD)/bin/kexec $(BUILD)/bin/vmcore-dmesg
	$(if $(opt_missing),@echo '  without optional libraries; to have them install $(opt_missing)')

# ---- purgatory: flat, position independent, no relocations ----------------------------------
include purgatory/flags.mk

purg_obj := $(PURGATORY_SRC:%=$(BUILD)/%.o)
purgatory: $(BUILD)/purgatory/purgatory.bin
$(BUILD)/purgatory/%.o: purgatory/%
	@mkdir -p $(@D)
	$(say) CC $@
	$(q)$(CC) -std=gnu11 $(warnings) -iquote include $(PURGATORY_CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/purgatory/purgatory.elf: $(purg_obj) purgatory/purgatory.lds
	$(say) LD $@
	$(q)ld $(PURGATORY_LDFLAGS) -T purgatory/purgatory.lds -o $@ $(purg_obj)
$(BUILD)/purgatory/purgatory.bin: $(BUILD)/purgatory/purgatory.elf
	$(q)objcopy -O binary $< $@

tramp_obj := $(TRAMPOLINE_SRC:%=$(BUILD)/%.o)
$(tramp_obj): $(BUILD)/purgatory/trampoline/%.o: purgatory/trampoline/%
	@mkdir -p $(@D)
	$(say) CC $@
	$(q)$(CC) -std=gnu11 $(warnings) -iquote include $(TRAMPOLINE_CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/purgatory/trampoline.elf: $(tramp_obj) purgatory/trampoline/trampoline.lds
	$(say) LD $@
	$(q)ld $(TRAMPOLINE_LDFLAGS) -T purgatory/trampoline/trampoline.lds -o $@ $(tramp_obj)
$(BUILD)/purgatory/trampoline.bin: $(BUILD)/purgatory/trampoline.elf
	$(q)objcopy -O binary $< $@

# What was built without a library, or with other flags, is built again.
flags_sum := $(firstword $(shell printf '%s' '$(subst ','\'',$(opt_def) $(CFLAGS) $(harden))' | cksum))
opt_stamp := $(BUILD)/built-with-$(flags_sum)
$(opt_stamp):
	@mkdir -p $(@D) && rm -f $(BUILD)/built-with* && touch $@

# ---- the command ----------------------------------------------------------------------------
# $(1): directory, $(2): compiler, $(3): extra flags. Objects of the command, of a sanitised
# library and of a fuzzed one come from the same sources by the same rule.
define objects
$(1)/%.c.o: %.c $(opt_stamp)
	@mkdir -p $$(@D)
	$(say) CC $$@
	$(q)$(2) $(common) $(CFLAGS) $(opt_def) $(3) $$(file_def) -MMD -MP -c -o $$@ $$<
$(1)/%.S.o: %.S $(BUILD)/purgatory/purgatory.bin $(BUILD)/purgatory/trampoline.bin
	@mkdir -p $$(@D)
	$(say) AS $$@
	$(q)$(2) $(common) -I$(BUILD)/purgatory -MMD -MP -c -o $$@ $$<
$(1)/libkexec.a: $(lib_src:%=$(1)/%.o) $(asm:%=$(1)/%.o)
	$(q)rm -f $$@
	$(q)ar rcs $$@ $$^
endef
san := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
$(eval $(call objects,$(BUILD)/obj,$(CC),$(harden)))
$(eval $(call objects,$(BUILD)/san,$(CC),$(san) -O1))
$(eval $(call objects,$(BUILD)/clang,$(CLANG),))
$(eval $(call objects,$(BUILD)/fuzz-obj,$(CLANG),$(san) -O1 -fsanitize=fuzzer-no-link))

# The link depends on how: STATIC=1 and plain must not take each other's file for theirs.
link_mode := $(BUILD)/link-$(if $(STATIC),static,dynamic)
$(link_mode):
	@mkdir -p $(@D) && rm -f $(BUILD)/link-* && touch $@
# Nothing can be loaded into a static program.
$(BUILD)/obj/kexec/xen.c.o: $(link_mode)
$(BUILD)/obj/kexec/xen.c.o: file_def := $(if $(STATIC),-DKEXEC_NG_STATIC)
$(BUILD)/bin/kexec: $(BUILD)/obj/kexec/main.c.o $(BUILD)/obj/libkexec.a $(link_mode)
	@mkdir -p $(@D)
	$(say) LD $@
	$(q)$(CC) $(CFLAGS) $(link) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(opt_lib)
$(BUILD)/bin/vmcore-dmesg: $(BUILD)/obj/kexec/vmcore_dmesg_main.c.o $(BUILD)/obj/libkexec.a $(link_mode)
	@mkdir -p $(@D)
	$(say) LD $@
	$(q)$(CC) $(CFLAGS) $(link) $(LDFLAGS) -o $@ $(filter %.o %.a,$^)

# ---- tests ----------------------------------------------------------------------------------
unit_bin := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(sort $(wildcard tests/unit/test_*.c)))
fuzz_bin := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
unit_lib := $(sort $(wildcard tests/unit/lib_*.c))

$(BUILD)/unit/test_%: tests/unit/test_%.c $(unit_lib) $(BUILD)/san/libkexec.a
	@mkdir -p $(@D)
	$(say) LD $@
	$(q)$(CC) $(common) $(CFLAGS) $(opt_def) $(san) -O1 -iquote tests/unit -MMD -MP -o $@ $< $(unit_lib) \
		$(BUILD)/san/libkexec.a -lcmocka $(opt_lib)
$(BUILD)/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(unit_lib) $(BUILD)/fuzz-obj/libkexec.a
	@mkdir -p $(@D)
	$(say) LD $@
	$(q)$(CLANG) $(common) $(CFLAGS) $(opt_def) $(san) -O1 -fsanitize=fuzzer -iquote tests/unit -o $@ $< \
		$(unit_lib) $(BUILD)/fuzz-obj/libkexec.a $(opt_lib)

unit: $(unit_bin)
	tests/unit/run $(unit_bin)

unit-purgatory: $(BUILD)/unit/test_purgatory
	tests/unit/run $<

# What is kept for each target, once.
fuzz-replay: $(fuzz_bin)
	printf '%s\n' $(fuzz_bin) | xargs -P $(JOBS) -n 1 tests/fuzz/run 0

# TIME seconds for each target, on all of the machine.
TIME ?= 600
fuzz-new: $(fuzz_bin)
	printf '%s\n' $(fuzz_bin) | xargs -P $(JOBS) -n 1 tests/fuzz/run $(TIME)

# The same, and what is worth keeping goes into the tree.
fuzz: fuzz-new
	tests/fuzz/keep $(fuzz_bin)

# What of each reader of foreign bytes the corpora reach; fails below 90 per cent of its lines.
cov := -O1 -g -fsanitize=fuzzer-no-link -fprofile-instr-generate -fcoverage-mapping
cov_bin := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz-cov/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
$(eval $(call objects,$(BUILD)/cov-obj,$(CLANG),$(cov)))
$(BUILD)/fuzz-cov/fuzz_%: tests/fuzz/fuzz_%.c $(unit_lib) $(BUILD)/cov-obj/libkexec.a
	@mkdir -p $(@D)
	$(say) LD $@
	$(q)$(CLANG) $(common) $(CFLAGS) $(opt_def) $(cov) -fsanitize=fuzzer -iquote tests/unit -o $@ $< \
		$(unit_lib) $(BUILD)/cov-obj/libkexec.a $(opt_lib)
fuzz-coverage: $(cov_bin)
	$(PYTHON) tests/fuzz/coverage $(BUILD) $(cov_bin)

demo:
	tests/lib/install demo
	$(MAKE) STATIC=1
	tests/vm/demo

check:
	tests/lib/install check
	tests/check $(BUILD)
check-long:
	tests/lib/install check
	tests/check $(BUILD) --long

install: all
	install -D -m 755 $(BUILD)/bin/kexec $(DESTDIR)$(SBINDIR)/kexec
	install -D -m 755 $(BUILD)/bin/vmcore-dmesg $(DESTDIR)$(SBINDIR)/vmcore-dmesg
	install -D -m 755 scripts/kexec-cycle $(DESTDIR)$(SBINDIR)/kexec-cycle
	install -d $(DESTDIR)$(UNITDIR)
	sed 's|@SBINDIR@|$(SBINDIR)|' scripts/kexec-cycle.service > $(DESTDIR)$(UNITDIR)/kexec-cycle.service
	chmod 644 $(DESTDIR)$(UNITDIR)/kexec-cycle.service
	install -D -m 644 doc/kexec.8 $(DESTDIR)$(PREFIX)/share/man/man8/kexec.8
	install -D -m 644 doc/vmcore-dmesg.8 $(DESTDIR)$(PREFIX)/share/man/man8/vmcore-dmesg.8
	install -D -m 644 doc/kexec-cycle.8 $(DESTDIR)$(PREFIX)/share/man/man8/kexec-cycle.8
	install -D -m 644 completion/kexec.bash $(DESTDIR)$(BASHCOMPDIR)/kexec
	install -D -m 644 completion/_kexec $(DESTDIR)$(ZSHCOMPDIR)/_kexec

# The bill of materials of build/bin/kexec, as SPDX.
.PHONY: sbom
sbom: $(BUILD)/bin/kexec
	$(PYTHON) tests/lib/sbom.py $(VERSION) "$(CC)" $(BUILD)/bin/kexec $(if $(STATIC),-static) -lc $(opt_lib) \
		> $(BUILD)/kexec-ng.spdx.json

# A Debian package of what git knows: $(BUILD)/deb/kexec-ng_*.deb
deb_tree := $(BUILD)/deb/kexec-ng-$(VERSION)
deb:
	tests/lib/install deb
	rm -rf $(BUILD)/deb && mkdir -p $(deb_tree)
	git ls-files -z -c -o --exclude-standard | xargs -0 cp -P --parents -t $(deb_tree)
	cd $(deb_tree) && env -u MAKEFLAGS -u MAKELEVEL -u BUILD dpkg-buildpackage -b -us -uc
clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# Measures beside kexec-tools; writes doc/bench/ and the results in doc/performance.md.
.PHONY: bench
bench:
	tests/lib/install bench
	$(MAKE) STATIC=1
	tests/bench/run
