# Makefile - builds, tests, runs and installs Malleposte.
#
# GNU make 4 or later. A program is two lines in the module.mk of its folder:
#   PROGS += malle-smtpd
#   malle-smtpd_SRC := smtpd/main.c smtpd/session.c
# and, where it needs them: malle-x_LIBS := -lssl, malle-x_STATIC := 1,
# malle-x_HUGE := 1 (it calls proc_huge_text()).
# A unit test is tests/unit/test_NAME.c and one line in tests/unit/module.mk; what
# other tests run is in TEST_TOOLS.

.DEFAULT_GOAL := all
MODULES := lib registry auth smtpd queue deliver mailbox bounce pop3d remote tools tests/unit tests/system tests/fuzz tests/crash tests/bench

CC := $(shell sed -n 1p conf-cc)
LD := $(shell sed -n 1p conf-ld)
B ?= build
TOP_B := $(B)
VAR ?= $(CURDIR)/var
SAN ?=
FUZZ ?=

# Flags that not every compiler and kind of machine has.
takes = $(shell $(CC) -Werror $(1) -x c -c /dev/null -o /dev/null 2>/dev/null && echo $(1))

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wwrite-strings -Wformat=2 -Wvla -Wundef \
	-Wimplicit-fallthrough -Wno-format-nonliteral
# Every local variable zeroed at its start would be safer still, and would touch
# every page of every buffer on the stack: sessions are small because they do not.
HARDEN := -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong \
	-fstack-clash-protection -fPIE -Werror=format-security \
	$(call takes,-fcf-protection=full) $(call takes,-mbranch-protection=standard) \
	$(call takes,-fstrict-flex-arrays=3)
HARDEN_LD := -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed
PIE := -pie
STATIC := -static-pie
# Segments where huge pages may begin: see lib/proc_huge.c.
HUGE := -Wl,-z,max-page-size=2097152
ifneq ($(SAN),)
override B := $(B)/san
HARDEN := -O1 -fPIE -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=all -DSANITIZED
HARDEN_LD := -fsanitize=address,undefined
STATIC := -pie
HUGE :=
endif

# With FUZZ=1 (clang) the fuzzing engine stands in for tests/fuzz/driver.c.
DRIVER :=
ifneq ($(FUZZ),)
HARDEN := -O1 -fno-omit-frame-pointer -DSANITIZED \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
HARDEN_LD := -fsanitize=fuzzer,address,undefined
PIE :=
DRIVER := tests/fuzz/driver.c
endif

CPPF := -D_GNU_SOURCE -I.
CFLAGS ?= -g
BIN := $(B)/bin

PROGS :=
TESTS_UNIT :=
FUZZERS :=
TEST_TOOLS :=
LIB_SRC :=
include $(wildcard $(MODULES:%=%/module.mk))

LIB := $(B)/libmalle.a
LIB_OBJ := $(LIB_SRC:%.c=$(B)/%.o)
LIBS := -lcdb -lresolv -lseccomp -lidn2 -lunistring -lz -lbsd -lmd -lpthread

.PHONY: all progs tests fuzzers deps up down install check lint fuzz bench clean FORCE
all: progs
progs: $(PROGS:%=$(BIN)/%)

# Rewritten only when the flags differ; every object depends on it.
$(B)/.flags: FORCE
	@mkdir -p $(B)
	@echo '$(CC) $(WARN) $(HARDEN) $(CPPF) $(CFLAGS)' | cmp -s - $@ || \
	    echo '$(CC) $(WARN) $(HARDEN) $(CPPF) $(CFLAGS)' > $@

$(B)/%.o: %.c $(B)/.flags
	@mkdir -p $(@D)
	$(CC) $(CPPF) $(WARN) $(HARDEN) $(CFLAGS) -MMD -MP -c -o $@ $<

$(LIB): $(LIB_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

define program
$(BIN)/$(1): $($(1)_SRC:%.c=$(B)/%.o) $(LIB)
	@mkdir -p $$(@D)
	$$(LD) $$(HARDEN_LD) $(if $($(1)_STATIC),$$(STATIC),$$(PIE)) $(if $($(1)_HUGE),$$(HUGE)) $$(LDFLAGS) \
	    -o $$@ $($(1)_SRC:%.c=$(B)/%.o) $$(LIB) $($(1)_LIBS) $$(LIBS)
-include $($(1)_SRC:%.c=$(B)/%.d)
endef
$(foreach f,$(FUZZERS),$(eval $(f)_SRC := $(filter-out $(DRIVER),$($(f)_SRC))))
$(foreach p,$(PROGS) $(TESTS_UNIT) $(FUZZERS) $(TEST_TOOLS),$(eval $(call program,$(p))))
-include $(LIB_OBJ:.o=.d)

# The sanitized build is in its own folder; tests/run finds it by SAN.
tests: $(TESTS_UNIT:%=$(BIN)/%) $(TEST_TOOLS:%=$(BIN)/%) fuzzers
fuzzers: $(FUZZERS:%=$(BIN)/%)

deps:
	@tools/install-packages build run

# From a checkout: builds, starts, shows that it works. See tools/up.
up: deps
	@echo "Building into $(B) ..."
	@$(MAKE) --no-print-directory -s -j2 all
	@BIN="$(BIN)" VAR="$(VAR)" tools/up

down:
	@BIN="$(BIN)" VAR="$(VAR)" tools/down

# What goes where, with which owner and mode: packaging/files.
install: all
	@BIN="$(BIN)" DESTDIR="$(DESTDIR)" packaging/install

check:
	@SAN=$(SAN) MALLE_BUILD=$(TOP_B) tests/run $(TESTS)

lint:
	@tools/install-packages build lint
	@tests/lint

fuzz:
	@tools/install-packages build lint
	@MALLE_BUILD=$(TOP_B) tests/fuzz/run $(TESTS)

bench:
	@BENCH="$(BENCH)" BENCH_ARGS="$(BENCH_ARGS)" tests/bench/run

clean:
	rm -rf $(B)
