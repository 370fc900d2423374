# Horde. `make demo` shows it, `make check` proves it; both install what they need.
#
#   make            build/horded            make check        everything .ci/run runs
#   make deps       Debian packages by apt  make unit|sim|integration|asan|bench
#   make run        one daemon, in front    make format       clang-format in place
#
# Objects go to $(B); `make asan` builds a second tree with the sanitizers on.

B       ?= build
CC      ?= gcc
PREFIX  ?= /usr/local
PKGS    := libmicrohttpd jansson libcurl sqlite3 yaml-0.1 libxxhash
DEBS    := gcc libc6-dev make pkg-config libmicrohttpd-dev libjansson-dev libcurl4-openssl-dev \
           libsqlite3-dev libyaml-dev libxxhash-dev libcriterion-dev curl python3 clang \
           libclang-rt-14-dev clang-format

WARN    := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes \
           -Wmissing-prototypes -Wswitch-enum -Wvla -Werror
SAN     ?=
OPT     ?= -O2
CFLAGS  += -std=gnu11 -g $(OPT) $(WARN) $(SAN) -I. -D_GNU_SOURCE -fno-strict-aliasing -MMD -MP
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

.PHONY: all deps run demo check unit sim integration asan bench format install clean purity headers stop-missing
.SECONDARY:

all: $(B)/horded

# ---- what must be on the machine -------------------------------------------------------------
$(B)/.deps: Makefile
	@mkdir -p $(B)
	@for p in $(PKGS) criterion; do pkg-config --exists $$p 2>/dev/null || missing=1; done; \
	for t in $(CC) pkg-config curl python3 clang clang-format; do \
		command -v $$t >/dev/null || missing=1; done; \
	test -z "$$missing" || $(MAKE) --no-print-directory deps
	@touch $@

deps:
	@sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	export DEBIAN_FRONTEND=noninteractive; \
	$$sudo apt-get update -qq && $$sudo apt-get install -y -qq --no-install-recommends $(DEBS)

# ---- the daemon ------------------------------------------------------------------------------
$(B)/%.o: %.c | $(B)/.deps
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c -o $@ $<

$(B)/api/document.o: openapi/openapi.yaml openapi/peer.yaml
$(B)/storage/sqlite.o: storage/schema.sql

define ARCHIVE
$(B)/lib$(1).a: $(call OBJ,$(SRC_$(1)))
	@rm -f $$@
	@ar rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call ARCHIVE,$(r))))

$(B)/horded: $(B)/server/main.o $(ARCHIVES)
	$(CC) $(LDFLAGS) -o $@ $< -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(LIBS)

run: all
	$(B)/horded

install: all
	install -D -m 755 $(B)/horded $(DESTDIR)$(PREFIX)/bin/horded

demo: all
	tests/demo.sh $(B)/horded

# ---- the checks ------------------------------------------------------------------------------
# A unit test is one file, tests/unit/ROOM/test_NAME.c; it links its room and the rooms below it.
BELOW_core    := core
BELOW_storage := storage core
BELOW_api     := api server storage core
BELOW_server  := server api storage core
UNIT := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/*/test_*.c))

define UNITROOM
$(B)/tests/unit/$(1)/%: $(B)/tests/unit/$(1)/%.o $(TESTLIB) $(foreach r,$(BELOW_$(1)),$(B)/lib$(r).a)
	$(CC) $(LDFLAGS) -o $$@ $$< $(TESTLIB) -Wl,--start-group $(foreach r,$(BELOW_$(1)),$(B)/lib$(r).a) -Wl,--end-group $$(LIBS) $$(shell pkg-config --libs criterion)
endef
$(foreach r,$(ROOMS),$(eval $(call UNITROOM,$(r))))

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

clean:
	rm -rf build

-include $(shell find $(B) -name '*.d' 2>/dev/null)
