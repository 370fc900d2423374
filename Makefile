# Horde. `make demo` shows it, `make check` proves it; both install what they need.
#
#   make            build/horded            make check        everything .ci/run runs
#   make deps       Debian packages by apt  make unit|sim|naive|integration|fuzz|asan|bench
#   make run        one daemon, in front    make format       clang-format in place
#
# Objects go to $(B); `make asan` builds a second tree with the sanitizers on.

B       ?= build
ifeq ($(origin CC),default)
CC      := gcc
endif
PREFIX  ?= /usr/local
JOBS    ?= $(shell nproc)
SHELL   := /bin/bash -o pipefail
PKGS    := libmicrohttpd gnutls jansson libcurl sqlite3 yaml-0.1 libxxhash libzstd zlib
DEBS    := gcc libc6-dev make pkg-config libmicrohttpd-dev libgnutls28-dev libjansson-dev libcurl4-openssl-dev \
           libsqlite3-dev libyaml-dev libxxhash-dev libzstd-dev zlib1g-dev libcriterion-dev curl python3 \
           clang libclang-rt-14-dev clang-format faketime

WARN    := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes \
           -Wmissing-prototypes -Wswitch-enum -Wvla -Werror
SAN     ?=
OPT     ?= -O2
# Hidden: our names must never stand in for those of a library (jansson has a json_object too).
CFLAGS  += -std=gnu11 -g $(OPT) $(WARN) $(SAN) -I. -D_GNU_SOURCE -fvisibility=hidden -fno-strict-aliasing -MMD -MP
LDFLAGS += $(SAN)
LIBS    = $(shell pkg-config --libs $(PKGS)) -lm -lpthread

ROOMS   := server api storage core
SRC_core    := $(wildcard server/core/*.c)
SRC_storage := $(wildcard storage/*.c)
SRC_api     := $(wildcard api/*.c)
SRC_server  := $(filter-out server/main.c,$(wildcard server/*.c))
OBJ      = $(patsubst %.c,$(B)/%.o,$(1))
ARCHIVES := $(foreach r,$(ROOMS),$(B)/lib$(r).a)
TESTLIB  := $(call OBJ,$(wildcard tests/lib/*.c))

.PHONY: all deps run demo check unit sim naive integration fuzz fuzz-short fuzz-built fuzz-seeds asan bench format install clean purity headers readmes clang built
.SECONDARY:

all: $(B)/horded

# ---- what must be on the machine -------------------------------------------------------------
$(B)/.deps: Makefile
	@mkdir -p $(B)
	@for p in $(PKGS) criterion; do pkg-config --exists $$p 2>/dev/null || missing=1; done; \
	for t in $(CC) pkg-config curl python3 clang clang-format faketime; do \
		command -v $$t >/dev/null || missing=1; done; \
	ls $$(clang -print-resource-dir)/lib/linux/libclang_rt.fuzzer-*.a >/dev/null 2>&1 || missing=1; \
	test -z "$$missing" || $(MAKE) --no-print-directory deps
	@touch $@

deps:
	@sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	export DEBIAN_FRONTEND=noninteractive; \
	$$sudo apt-get update -qq && $$sudo apt-get install -y -qq --no-install-recommends $(DEBS)

# ---- the daemon ------------------------------------------------------------------------------
$(B)/%.o: %.c | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(CFLAGS) -c -o $@ $<

$(B)/api/document.o: openapi/openapi.yaml openapi/peer.yaml
$(B)/storage/sqlite.o: storage/schema.sql

define ARCHIVE
$(B)/lib$(1).a: $(call OBJ,$(SRC_$(1)))
	@rm -f $$@
	@ar rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call ARCHIVE,$(r))))

$(B)/horded: $(B)/server/main.o $(ARCHIVES)
	@echo "  LD $@"
	@$(CC) $(LDFLAGS) -o $@ $< -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(LIBS)

run: all
	$(B)/horded

install: all
	install -D -m 755 $(B)/horded $(DESTDIR)$(PREFIX)/bin/horded

demo: all
	tests/demo.sh $(B)/horded

# ---- the checks ------------------------------------------------------------------------------
# Tests stand in for malloc and friends: their names must be seen by the libraries.
$(B)/tests/%.o: CFLAGS += -fvisibility=default
# They are compiled more often than they are run, and wait for most of that time.
$(B)/tests/unit/%.o $(B)/tests/integration/%.o: OPT = -O0

# A unit test is one file, tests/unit/ROOM/test_NAME.c; it links its room and the rooms below it.
BELOW_core    := core
BELOW_storage := storage core
BELOW_api     := api server storage core
BELOW_server  := server api storage core
UNIT := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/*/test_*.c))

define UNITROOM
$(B)/tests/unit/$(1)/%: $(B)/tests/unit/$(1)/%.o $(foreach r,$(BELOW_$(1)),$(B)/lib$(r).a)
	@echo "  LD $$@"
	@$(CC) $(LDFLAGS) -o $$@ $$< -Wl,--start-group $(foreach r,$(BELOW_$(1)),$(B)/lib$(r).a) -Wl,--end-group $$(LIBS) $$(shell pkg-config --libs criterion)
endef
$(foreach r,$(ROOMS),$(eval $(call UNITROOM,$(r))))

UNIT_RUN := $(UNIT:%=%.ok)

# Criterion passes a leaking test, so under ASan the reports of all processes are looked for too.
# $(1) is where they go, each with the pid behind it.
RUNENV    = ASAN_OPTIONS=log_path=$(abspath $(1)):detect_leaks=1 \
	UBSAN_OPTIONS=print_stacktrace=1:log_path=$(abspath $(1))

RESULTS   = $(B)/results

$(B)/tests/unit/%.ok: $(B)/tests/unit/%
	@rm -f $<.report*
	@echo "  RUN $<"
	@$(call RUNENV,$<.report) $< 2>&1 | tee -a $(RESULTS)
	@! cat $<.report* 2>/dev/null | grep .
	@touch $@

unit: $(UNIT_RUN)
	@echo "unit: $(words $(UNIT)) modules passed"

SIM_OBJ := $(call OBJ,$(wildcard tests/sim/*.c))
$(B)/horde-sim: $(SIM_OBJ) $(B)/libapi.a $(B)/libserver.a $(B)/libstorage.a $(B)/libcore.a
	@echo "  LD $@"
	@$(CC) $(LDFLAGS) -o $@ $(SIM_OBJ) -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(LIBS)

REPLICAS_OBJ := $(call OBJ,$(wildcard tests/sim/replicas/*.c))
$(B)/horde-replicas: $(REPLICAS_OBJ) $(B)/libcore.a
	@echo "  LD $@"
	@$(CC) $(LDFLAGS) -o $@ $^ -lm

# make sim SEED=n replays one seed with its trace; SEEDS=n runs n of them, on all cores, in both
# simulators or in those that SIMS names (SIMS=horde-replicas).
SIMS  ?= horde-sim horde-replicas
FROM  ?= 1
SEEDS_horde-sim      ?= 2000
SEEDS_horde-replicas ?= 20000
SEEDS_OF = $(or $(SEEDS),$(SEEDS_$(1)))
SHARD_OF = $(shell echo $$((($(call SEEDS_OF,$(1)) + $(JOBS) - 1) / $(JOBS))))
define SIMULATE
	@seq $(FROM) $(call SHARD_OF,$(1)) $$(($(FROM) + $(call SEEDS_OF,$(1)) - 1)) \
		| $(call RUNENV,$(B)/sim.report) xargs -P $(JOBS) -I{} $(B)/$(1) --from {} --count $(call SHARD_OF,$(1))

endef
sim: $(SIMS:%=$(B)/%)
ifdef SEED
	@failed=; for s in $^; do $$s --seed $(SEED) --trace || failed=1; done; test -z "$$failed"
else
	@rm -f $(B)/sim.report*
	$(foreach s,$(SIMS),$(call SIMULATE,$(s)))
	@! cat $(B)/sim.report* 2>/dev/null | grep .
endif

# The check of the checks: each naive variant of the map must be seen by the simulator. What a
# variant changes includes naive.h; the rest is as it is.
NAIVES := NODEPS FILTER COLLAPSE CUT REUSE NOFLOOR
NAIVE_SRC = $(shell grep -l '"server/core/naive.h"' server/core/*.c tests/sim/replicas/*.c)
NAIVE_OBJ = $(filter-out $(call OBJ,$(NAIVE_SRC)),$(REPLICAS_OBJ))
$(B)/naive/%/horde-replicas: $(B)/horde-replicas
	@mkdir -p $(@D)
	@echo "  CC naive $*"
	@$(CC) $(filter-out -MMD -MP,$(CFLAGS)) -DHORDE_NAIVE=NAIVE_$* $(LDFLAGS) -o $@ \
		$(NAIVE_SRC) $(NAIVE_OBJ) $(B)/libcore.a -lm

naive-%: $(B)/naive/%/horde-replicas
	@$< --count 200 --first >$(<D)/said; \
	grep '^seed' $(<D)/said | sed 's/^/naive $*: /' | grep . || \
		{ echo "naive $*: not seen in 200 seeds"; cat $(<D)/said; exit 1; }
naive: $(NAIVES:%=naive-%)
	@echo "naive: the simulator sees all $(words $(NAIVES)) variants"

ASAN := B=build/asan OPT=-O1 \
	SAN="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
asan:
	@$(MAKE) --no-print-directory -j$(JOBS) $(ASAN) built
	@$(MAKE) --no-print-directory -j$(JOBS) $(ASAN) unit
	@$(MAKE) --no-print-directory $(ASAN) SEEDS_horde-sim=500 SEEDS_horde-replicas=2000 sim

INTEGRATION := $(patsubst %.c,$(B)/%,$(wildcard tests/integration/test_*.c))
$(B)/tests/integration/%: $(B)/tests/integration/%.o $(TESTLIB)
	@echo "  LD $@"
	@$(CC) $(LDFLAGS) -o $@ $< $(TESTLIB) $(LIBS) $(shell pkg-config --libs criterion)

integration: all $(INTEGRATION)
	@set -e; for t in $(INTEGRATION); do \
		echo "  RUN $$t"; \
		HORDED=$(abspath $(B))/horded $$t 2>&1 | tee -a $(RESULTS); \
	done
	@echo "integration: $(words $(INTEGRATION)) files passed"

# All that is built before anything is run.
built: all $(UNIT) $(B)/horde-sim $(B)/horde-replicas

# ---- fuzzing: libFuzzer, in a tree of its own that clang builds --------------------------------
# A target is one file, tests/fuzz/fuzz_NAME.c; run.sh says what makes it fail.
FUZZ      := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_LIB  := $(call OBJ,$(filter-out tests/fuzz/fuzz_%.c tests/fuzz/seeds.c,$(wildcard tests/fuzz/*.c)))
FUZZ_TREE := B=build/fuzz CC=clang OPT=-O1 SAN="-fsanitize=address,undefined,fuzzer-no-link \
	-fno-sanitize-recover=all -fno-omit-frame-pointer"
FUZZ_SECONDS ?= 60
FUZZ_SHORT_SECONDS ?= 4

FUZZ_ROOMS = $(B)/libapi.a $(B)/libcore.a
$(B)/fuzz_%: $(B)/tests/fuzz/fuzz_%.o $(FUZZ_LIB) $(FUZZ_ROOMS)
	@echo "  LD $@"
	@$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $< $(FUZZ_LIB) $(FUZZ_ROOMS) $(LIBS)

$(B)/seeds: $(B)/tests/fuzz/seeds.o $(FUZZ_LIB) $(FUZZ_ROOMS)
	@echo "  LD $@"
	@$(CC) $(LDFLAGS) -o $@ $< $(FUZZ_LIB) $(FUZZ_ROOMS) $(LIBS)

fuzz-built: $(FUZZ:%=$(B)/fuzz_%)

# The corpus goes on growing in build/fuzz/corpus from run to run; what failed is in build/fuzz.
fuzz: | $(B)/.deps
	@$(MAKE) --no-print-directory -j$(JOBS) $(FUZZ_TREE) fuzz-built
	@tests/fuzz/run.sh long $(FUZZ_SECONDS) $(FUZZ)

# The same inputs in every run, as far as the time goes: nothing is kept.
fuzz-short: | $(B)/.deps
	@$(MAKE) --no-print-directory -j$(JOBS) $(FUZZ_TREE) fuzz-built
	@tests/fuzz/run.sh short $(FUZZ_SHORT_SECONDS) $(FUZZ)

# When a format has changed: the seeds are made anew, by the code.
fuzz-seeds: | $(B)/.deps
	@$(MAKE) --no-print-directory -j$(JOBS) $(FUZZ_TREE) build/fuzz/seeds
	@build/fuzz/seeds tests/fuzz/corpus

BENCH_OBJ := $(call OBJ,$(wildcard tests/bench/*.c))
$(B)/horde-bench: $(BENCH_OBJ) $(TESTLIB) $(B)/libapi.a $(B)/libserver.a $(B)/libstorage.a $(B)/libcore.a
	@echo "  LD $@"
	@$(CC) $(LDFLAGS) -o $@ $(BENCH_OBJ) $(TESTLIB) -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(LIBS)

bench: all $(B)/horde-bench $(B)/horde-replicas
	HORDED=$(abspath $(B))/horded $(B)/horde-bench

# The core does no I/O: what it asks of libc is on this list, and nothing else.
PURE := malloc calloc realloc free memcpy memmove memset memcmp memchr memrchr strlen strcmp strncmp \
	strspn strstr strchr strrchr strcspn strdup strtoull snprintf vsnprintf __snprintf_chk __vsnprintf_chk \
	__memcpy_chk __memset_chk __memmove_chk __strcpy_chk \
	qsort bsearch log pow __assert_fail __stack_chk_fail _GLOBAL_OFFSET_TABLE_
purity: $(B)/libcore.a
	@nm -g --defined-only $< 2>/dev/null | awk 'NF==3 {print $$3}' | sort -u >$(B)/core.defined
	@nm -u $< 2>/dev/null | awk '$$1=="U" {print $$2}' | sort -u | comm -23 - $(B)/core.defined \
		| grep -vxE '$(subst $(eval) ,|,$(strip $(PURE)))' >$(B)/core.impure; \
	if [ -s $(B)/core.impure ]; then echo "server/core asks for:"; cat $(B)/core.impure; exit 1; fi
	@! grep -nE '#include "(api|storage|server/[^c])' server/core/*.[ch]
	@! grep -nE '#include "storage' api/*.[ch]; ! grep -nE '#include "api' storage/*.[ch]
	@echo "purity: server/core is pure, no include points up"

HEADERS := $(wildcard server/*.h server/core/*.h api/*.h storage/*.h tests/lib/*.h tests/sim/*.h \
	tests/sim/replicas/*.h tests/fuzz/*.h)
headers: | $(B)/.deps
	@for h in $(HEADERS); do printf "#include \"%s\"\nint some;\n" "$$h" | \
		$(CC) -std=gnu11 -D_GNU_SOURCE $(WARN) -I. -fsyntax-only -x c - || exit 1; done
	@echo "headers: $(words $(HEADERS)) compile alone"

# A folder's README names each of its files, without its suffix; the tests' one those of lib/.
readmes:
	@for f in $$(git ls-files '*.c' '*.h' '*.sh' | grep /); do \
		d=$${f%/*}; n=$${f##*/}; n=$${n%.*}; [ -f $$d/README.md ] || continue; \
		grep -qwsE "$$n|$${n#test_}|$${n#fuzz_}" $$d/README.md $$d/../README.md || \
			{ echo "$$d/README.md does not name $$n"; bad=1; }; done; [ -z "$$bad" ]
	@echo "readmes: each file is named"

clang:
	@$(MAKE) --no-print-directory -j$(JOBS) B=build/clang CC=clang all

# Each step in the order in which it is cheapest to fail.
check: | $(B)/.deps
	@rm -rf build/*/tests/unit/*/*.ok $(B)/tests/unit/*/*.ok $(RESULTS) build/asan/results
	@$(MAKE) --no-print-directory -j$(JOBS) built $(INTEGRATION)
	@$(MAKE) --no-print-directory purity headers readmes clang
	@$(MAKE) --no-print-directory -j$(JOBS) $(FUZZ_TREE) fuzz-built
	@$(MAKE) --no-print-directory -j$(JOBS) unit
	@$(MAKE) --no-print-directory sim
	@$(MAKE) --no-print-directory -j$(JOBS) naive
	@$(MAKE) --no-print-directory integration
	@$(MAKE) --no-print-directory fuzz-short
	@$(MAKE) --no-print-directory asan
	@cat $(RESULTS) build/asan/results | sed 's/\x1b\[[0-9;]*m//g' | awk -F'[:|]' '/Synthesis/ \
		{ passed += $$5; failed += $$7 + $$9 } \
		END { printf "%d passed, %d failed\n", passed, failed }'

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

clean:
	rm -rf build

-include $(shell find $(B) -name '*.d' 2>/dev/null)
