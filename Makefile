# SPDX-License-Identifier: Apache-2.0
#
# steward - one Makefile for everything.  `make run` and `make test` work on a
# fresh Debian machine; SAN=1 builds into build-san/ with ASan and UBSan.

VERSION  := 0.1.0
B        := build
prefix   := /usr/local
DESTDIR  :=
ifeq ($(prefix),/usr)
sysconfdir := /etc
else
sysconfdir := $(prefix)/etc
endif

CC       := gcc
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
            -Wswitch-enum -Wpointer-arith -Wwrite-strings -Wformat=2 -Wundef -Werror
# Those of the environment, dpkg-buildflags' for a package, stand in their place.
CFLAGS   ?= -O2 -g -fstack-protector-strong
CPPFLAGS ?= -D_FORTIFY_SOURCE=2
LDFLAGS  ?= -Wl,-z,relro,-z,now
ifdef SAN
B        := build-san
CFLAGS   := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
CPPFLAGS :=
LDFLAGS  := -fsanitize=address,undefined
endif

# Debian 13 calls it msgpack-c, and its library too.
MSGPACK  := $(shell pkg-config --exists msgpack-c 2>/dev/null && echo msgpack-c || echo msgpack)
pkg       = $(shell pkg-config --$(1) $(MSGPACK) libconfig libpq jansson libsystemd 2>/dev/null)
COMPILE   = $(CC) -std=c11 -D_GNU_SOURCE -DSTEWARD_VERSION='"$(VERSION)"' $(CPPFLAGS) \
            -iquote common -iquote $(B)/gen $(shell pkg-config --cflags $(MSGPACK) libconfig libpq jansson libsystemd 2>/dev/null) \
            $(WARNINGS) $(CFLAGS) -MMD -MP

LIBS_COMMON := -Wl,--as-needed $(if $(filter msgpack-c,$(MSGPACK)),-lmsgpack-c,-lmsgpackc) -lconfig -lnng -lpthread

# ------------------------------------------------------------------ what is built
KINDS      := $(notdir $(patsubst %/,%,$(wildcard workers/*/)))
COMMON_O   := $(patsubst %.c,$(B)/obj/%.o,$(wildcard common/*.c))
STEWARD_O  := $(patsubst %.c,$(B)/obj/%.o,$(wildcard supervisor/*.c))
# Pure files that the daemon obeys and stewardctl explains.
SHARED_O   := $(B)/obj/supervisor/lifecycle.o $(B)/obj/supervisor/restart.o
CTL_O      := $(patsubst %.c,$(B)/obj/%.o,$(wildcard supervisor/ctl/*.c)) $(SHARED_O) $(B)/gen/migrations.o
MIGRATIONS := $(sort $(wildcard migrations/*.sql))
PROGRAMS   := $(B)/steward $(B)/stewardctl $(KINDS:%=$(B)/workers/%)

all: $(PROGRAMS)

$(B)/common.a: $(COMMON_O)
	rm -f $@ && ar rcs $@ $^

$(B)/steward: $(STEWARD_O) $(B)/common.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_COMMON) -lsystemd

$(B)/stewardctl: $(CTL_O) $(B)/common.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_COMMON) -ljansson

define worker_rule
$(B)/workers/$(1): $(patsubst %.c,$(B)/obj/%.o,$(wildcard workers/$(1)/*.c)) $(B)/common.a
	@mkdir -p $$(@D)
	$$(CC) $$(CFLAGS) $$(LDFLAGS) -o $$@ $$^ $$(LIBS_COMMON)
endef
$(foreach kind,$(KINDS),$(eval $(call worker_rule,$(kind))))

$(B)/obj/%.o: %.c | $(B)/gen/schema.h
	@mkdir -p $(@D)
	$(COMPILE) -c -o $@ $<

# ------------------------------------------------------------------ what is generated
# The migrations as a table of C strings, and the version that this tree knows.
$(B)/gen/schema.h $(B)/gen/migrations.c &: $(MIGRATIONS) migrations/embed.sh
	@mkdir -p $(B)/gen
	sh migrations/embed.sh $(B)/gen

# One string per file is longer than ISO C promises to accept.
$(B)/gen/migrations.o: $(B)/gen/migrations.c
	$(COMPILE) -iquote supervisor/ctl -Wno-overlength-strings -c -o $@ $<

# ------------------------------------------------------------------ tests
# A unit test is one file; it links everything that has no main().
UNIT_T   := $(patsubst tests/unit/%.c,$(B)/tests/unit/%.t,$(wildcard tests/unit/*.c))
PURE_O   := $(sort $(filter-out %/main.o,$(STEWARD_O) $(CTL_O)))
TOOLS    := $(patsubst tests/system/%.c,$(B)/tests/system/%,$(wildcard tests/system/*.c))

$(B)/tests/unit/%.t: $(B)/obj/tests/unit/%.o $(PURE_O) $(B)/common.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_COMMON) -lsystemd -ljansson -lcmocka

$(B)/tests/system/%: $(B)/obj/tests/system/%.o $(B)/common.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_COMMON)

# The supervisor's own tests bring a workers.def of several kinds, each of them the same dummy.
DUMMIES  := $(shell sed -n 's/^WORKER.\([a-z_]*\),.*/\1/p' tests/system/kinds.def)

kinds:
	$(MAKE) B=$(B)/kinds CPPFLAGS='$(CPPFLAGS) -DWORKERS_DEF=\"kinds.def\" -iquote tests/system' \
		$(B)/kinds/steward $(B)/kinds/tests/system/dummy_worker
	@mkdir -p $(B)/tests/kinds/workers
	cp $(B)/kinds/steward $(B)/tests/kinds/
	for kind in $(DUMMIES); do cp $(B)/kinds/tests/system/dummy_worker $(B)/tests/kinds/workers/$$kind; done

tests-built: all kinds $(UNIT_T) $(TOOLS) $(B)/tests/bench/latency

# The unit tests that need nothing but themselves; those of the bus want sockets and time, and `make test` has them.
CHECKS   := $(filter-out $(B)/tests/unit/bus%,$(UNIT_T))

check: $(CHECKS)
	CMOCKA_MESSAGE_OUTPUT=TAP prove $(CHECKS)

test: deps
	$(MAKE) tests-built
	$(MAKE) SAN=1 tests-built
	$(MAKE) fuzzers
	tests/run

# Everything that can happen, at random.  CHAOS_SEED=N repeats a run; `make test` does a short one.
chaos: deps
	$(MAKE) all $(B)/tests/system/ask
	STEWARD_BUILD=$(CURDIR)/$(B) tests/system/chaos $${CHAOS_SECONDS:-600} $$CHAOS_SEED

# ------------------------------------------------------------------ fuzz
FUZZERS := $(patsubst tests/fuzz/%.c,build-fuzz/tests/fuzz/%,$(wildcard tests/fuzz/*.c))
FUZZED  := B=build-fuzz CC=clang CPPFLAGS= CFLAGS='-O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined' \
           LDFLAGS='-fsanitize=fuzzer,address,undefined'

fuzzers:
	$(MAKE) $(FUZZED) $(FUZZERS)

build-fuzz/tests/fuzz/%: build-fuzz/obj/tests/fuzz/%.o build-fuzz/common.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_COMMON)

# A million inputs each; `make test` does a short run of the same.
fuzz: deps fuzzers
	FUZZ_RUNS=$${FUZZ_RUNS:-1000000} tests/fuzz/fuzz.t

# ------------------------------------------------------------------ bench
# Speed beside what others reach on the same machine, about an hour.  Exits with 1 when a bar is missed.
BENCH_PACKAGES := s6 runit supervisor postgresql-15-cron npm
BENCH          := $(B)/bench

deps-bench: deps
	@command -v npm >/dev/null || sh packaging/deps.sh npm
	@sh packaging/deps.sh --no-services $(filter-out npm,$(BENCH_PACKAGES))
	@mkdir -p $(BENCH)
	cp tests/bench/package.json tests/bench/package-lock.json $(BENCH)/
	cd $(BENCH) && npm ci --no-audit --no-fund

$(B)/tests/bench/latency: tests/bench/latency.c
	@mkdir -p $(@D)
	$(CC) -std=c11 -D_GNU_SOURCE -O2 $(WARNINGS) $(shell pkg-config --cflags libpq) -o $@ $< -lpq

bench: deps-bench
	$(MAKE) all kinds $(B)/tests/bench/latency
	STEWARD_BUILD=$(CURDIR)/$(B) tests/bench/run; first=$$?; \
		STEWARD_BUILD=$(CURDIR)/$(B) tests/bench/assignments --into tests/bench/RESULTS.md; second=$$?; \
		STEWARD_BUILD=$(CURDIR)/$(B) tests/bench/supervision --into tests/bench/RESULTS.md && exit $$((first | second))

# ------------------------------------------------------------------ lint
C_FILES := $(wildcard common/*.c supervisor/*.c supervisor/ctl/*.c workers/*/*.c)
SCRIPTS := packaging/deps.sh packaging/deb.sh tests/run tests/layers.t tests/fuzz/fuzz.t .ci/run migrations/embed.sh tests/demo/run.sh

lint: deps $(B)/gen/schema.h
	clang-tidy --quiet --warnings-as-errors='*' $(C_FILES) -- -std=c11 -D_GNU_SOURCE -DSTEWARD_VERSION='"$(VERSION)"' \
		-iquote common -iquote supervisor -iquote $(B)/gen $(call pkg,cflags)
	cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
		-DSTEWARD_VERSION='"$(VERSION)"' -D_GNU_SOURCE -Icommon -Isupervisor -I$(B)/gen $(C_FILES)
	$(MAKE) B=$(B)-analyzer CFLAGS='-O1 -fanalyzer' all
	shellcheck $(SCRIPTS)
	shellcheck -x tests/system/chaos tests/demo/assignments.sh tests/bench/run tests/bench/assignments tests/bench/supervision
	tests/layers.t

# ------------------------------------------------------------------ the machine
# What a fresh Debian needs: to build and run, to test and lint, to make the package.
# Nothing is done when all are there.
RUN_PACKAGES  := gcc make pkg-config libc6-dev libnng-dev libmsgpack-dev libconfig-dev libpq-dev libjansson-dev \
                 libsystemd-dev postgresql postgresql-client postgresql-common jq util-linux
TEST_PACKAGES := libcmocka-dev postgresql-15-pgtap bats perl iproute2 clang clang-tidy libclang-rt-14-dev cppcheck shellcheck
DEB_PACKAGES  := build-essential debhelper dpkg-dev fakeroot lintian piuparts scdoc mmdebstrap systemd-container

deps:
	@sh packaging/deps.sh $(RUN_PACKAGES) $(TEST_PACKAGES) $(DEB_PACKAGES)

run:
	@sh packaging/deps.sh $(RUN_PACKAGES)
	$(MAKE) all
	tests/demo/run.sh

# The acceptance scenarios of the assignment engine, each step with its result; exits with 1 when one fails.
demo-assignments:
	@sh packaging/deps.sh $(RUN_PACKAGES)
	$(MAKE) all $(B)/tests/system/ask
	STEWARD_BUILD=$(CURDIR)/$(B) tests/demo/assignments.sh

$(B)/steward.conf.sample: $(B)/stewardctl
	$< config sample >$@

# Manual pages, with the tables' parts filled in; and what the shells complete.
PAGES       := $(patsubst packaging/man/%.scd,$(B)/man/%,$(sort $(wildcard packaging/man/*.scd)))
COMPLETIONS := $(addprefix $(B)/completion/,bash zsh fish)

man: $(PAGES)

$(B)/man/%: packaging/man/%.scd packaging/man/fill $(MIGRATIONS) $(B)/stewardctl
	@mkdir -p $(@D)
	packaging/man/fill $(B)/stewardctl $(VERSION) $< >$@.scd
	scdoc <$@.scd >$@

$(B)/completion/%: $(B)/stewardctl
	@mkdir -p $(@D)
	$< completion $* >$@

# Pages are installed where scdoc is there to make them.
install: all $(B)/steward.conf.sample $(COMPLETIONS) $(if $(shell command -v scdoc),$(PAGES))
	install -d $(DESTDIR)$(prefix)/sbin $(DESTDIR)$(prefix)/bin $(DESTDIR)$(prefix)/libexec/steward \
		$(DESTDIR)$(prefix)/share/steward/migrations $(DESTDIR)$(sysconfdir)/steward/conf.d
	install -m 755 $(B)/steward $(DESTDIR)$(prefix)/sbin/steward
	install -m 755 $(B)/stewardctl $(DESTDIR)$(prefix)/bin/stewardctl
	install -m 755 $(KINDS:%=$(B)/workers/%) $(DESTDIR)$(prefix)/libexec/steward/
	install -m 644 $(MIGRATIONS) $(DESTDIR)$(prefix)/share/steward/migrations/
	for page in $(if $(shell command -v scdoc),$(PAGES)); do \
		install -D -m 644 -t $(DESTDIR)$(prefix)/share/man/man$${page##*.} $$page; done
	install -D -m 644 $(B)/completion/bash $(DESTDIR)$(prefix)/share/bash-completion/completions/stewardctl
	install -D -m 644 $(B)/completion/zsh $(DESTDIR)$(prefix)/share/zsh/vendor-completions/_stewardctl
	install -D -m 644 $(B)/completion/fish $(DESTDIR)$(prefix)/share/fish/vendor_completions.d/stewardctl.fish
	install -D -m 644 -t $(DESTDIR)$(prefix)/lib/systemd/catalog packaging/journal/steward.catalog
	test -e $(DESTDIR)$(sysconfdir)/steward/steward.conf || \
		install -m 644 $(B)/steward.conf.sample $(DESTDIR)$(sysconfdir)/steward/steward.conf

# build/deb/steward_*.deb, from an export of this tree.
deb: deps
	packaging/deb.sh $(B)/deb

# make install as root builds, as root, what is not built yet.
clean:
	rm -rf build build-san build-fuzz build-analyzer || { echo "make clean: what root has built root removes; run: sudo make clean" >&2; exit 1; }

-include $(shell find $(B)/obj $(B)/gen -name '*.d' 2>/dev/null)

.PHONY: deps-bench bench all kinds chaos tests-built check man deb test fuzzers fuzz lint deps run demo-assignments install clean
.DELETE_ON_ERROR:
.SECONDARY:
