/*-------------------------------------------------------------------------
 *
 * guc.c
 *	  The settings dealix_exec.*: their variables, defaults and bounds.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "base/guc.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/guc.h"
#include "utils/varlena.h"

int			dx_workers = 2;
int			dx_worker_idle_timeout = 60000;
int			dx_pass_max_runs = 50;
int			dx_pass_max_time = 200;
char	   *dx_databases = NULL;
int			dx_sweep_interval = 30;
int			dx_max_depth = 256;
int			dx_max_payload = 4096;
int			dx_max_events = 50000;
int			dx_warn_events = 10000;
int			dx_max_states = 20000;
int			dx_max_definition = 16 * 1024;
int			dx_max_evaluation = 128 * 1024;
int			dx_outcome_retention = 86400;
int			dx_max_lease = 86400;
int			dx_max_child_depth = 16;
int			dx_program_cache = 64 * 1024;
int			dx_max_inbox = 10000;
int			dx_max_inbox_size = 256 * 1024;
int			dx_evaluation_timeout = 10000;
int			dx_pass_max_subtransactions = 60;
int			dx_governance = DX_GOVERNANCE_DECLARED;
bool		dx_superuser_runs = false;
char	   *dx_outbox_channel = NULL;

#ifdef USE_ASSERT_CHECKING
bool		dx_scan_plans = false;
#endif

static const struct config_enum_entry governance_words[] = {
	{"off", DX_GOVERNANCE_OFF, false},
	{"declared", DX_GOVERNANCE_DECLARED, false},
	{"required", DX_GOVERNANCE_REQUIRED, false},
	{NULL, 0, false}
};

int			dx_max_databases = 32;
int			dx_max_rings = 64;
int			dx_max_owners = 10000;
int			dx_max_workers = 0;
int			dx_ring_size = 1024;

/* A setting that cannot be parsed must be refused when it is set, not later. */
static bool
check_databases(char **newval, void **extra, GucSource source)
{
	char	   *names = pstrdup(*newval);
	List	   *list;
	bool		valid = SplitIdentifierString(names, ',', &list);

	if (!valid)
		GUC_check_errdetail("List syntax is invalid.");
	list_free(list);
	pfree(names);
	return valid;
}

/* A setting that is a number; its default is the variable's first value. */
static void
define_int(const char *name, const char *purpose, const char *detail,
		   int *variable, int min, int max, GucContext context, int flags)
{
	DefineCustomIntVariable(name, purpose, detail, variable, *variable,
							min, max, context, flags, NULL, NULL, NULL);
}

/* How many processes there are, and how long they wait. */
static void
define_worker_settings(void)
{
	define_int("dealix_exec.workers",
			   "Maximum number of workers per database and owner of runs.",
			   "Each takes one of max_worker_processes. 0 starts none: runs "
			   "then go on only by dealix.tick() and dealix.drain().",
			   &dx_workers, 0, 256, PGC_SIGHUP, 0);
	define_int("dealix_exec.max_workers",
			   "Maximum number of workers of all databases and owners together; 0: as many as max_worker_processes leaves.",
			   "The last of them is kept for owners who have none.",
			   &dx_max_workers, 0, 256 * 1024, PGC_SIGHUP, 0);
	define_int("dealix_exec.worker_idle_timeout",
			   "Time without work after which a worker exits.",
			   "The next run of its owner starts it again.",
			   &dx_worker_idle_timeout, 100, INT_MAX, PGC_SIGHUP, GUC_UNIT_MS);
	define_int("dealix_exec.pass_max_runs",
			   "Maximum number of runs that one pass (one transaction of a worker) advances.",
			   "More runs share one commit; their locks are held until then.",
			   &dx_pass_max_runs, 1, 1000, PGC_SIGHUP, 0);
	define_int("dealix_exec.pass_max_time",
			   "Time after which a pass takes up no further state and commits.",
			   "A step that runs longer ends the pass after itself.",
			   &dx_pass_max_time, 1, 3600 * 1000, PGC_SIGHUP, GUC_UNIT_MS);
	define_int("dealix_exec.pass_max_subtransactions",
			   "Number of subtransactions with a transaction id after which a pass commits while an old transaction is open; 0 is no limit.",
			   "Each step that writes has one. From the 65th on other sessions have to look them up, which counts while a transaction is open that has an id more than 10,000 ids old.",
			   &dx_pass_max_subtransactions, 0, 1000000, PGC_SIGHUP, 0);
	define_int("dealix_exec.sweep_interval",
			   "Time between two sweeps of a dispatcher for work that nobody announced.",
			   "The launcher looks for new databases at the same interval.",
			   &dx_sweep_interval, 1, 24 * 3600, PGC_SIGHUP, GUC_UNIT_S);
	DefineCustomStringVariable("dealix_exec.databases",
							   "Databases in which workers run: * for all, or a comma-separated list of names.",
							   "Template databases and databases without the extension never have any.",
							   &dx_databases, "*", PGC_SIGHUP,
							   GUC_LIST_INPUT,
							   check_databases, NULL, NULL);
}

/* What a run, a definition and a payload may have at most. */
static void
define_limits(void)
{
	define_int("dealix_exec.max_depth",
			   "Maximum nesting of JSON that is taken in.",
			   NULL,
			   &dx_max_depth, 8, 4096, PGC_SUSET, 0);
	define_int("dealix_exec.max_payload",
			   "Maximum size of an input, a signal, a result or an output.",
			   "It is measured as JSON text without blanks.",
			   &dx_max_payload, 1, 256 * 1024, PGC_SUSET, GUC_UNIT_KB);
	define_int("dealix_exec.max_events",
			   "Maximum number of events in the history of a run.",
			   "A run that reaches it fails with Limit.Events, and is compensated. What goes on for long hands over by workflow:continue_as_new.",
			   &dx_max_events, 100, INT_MAX / 2, PGC_SUSET, 0);
	define_int("dealix_exec.warn_events",
			   "Number of events in the history of a run at which the server log says so.",
			   NULL,
			   &dx_warn_events, 100, INT_MAX / 2, PGC_SUSET, 0);
	define_int("dealix_exec.max_states",
			   "Maximum number of states of a definition.",
			   "It is looked at when a definition is published.",
			   &dx_max_states, 1, 1000000, PGC_SUSET, 0);
	define_int("dealix_exec.max_definition",
			   "Maximum size of a definition that is published.",
			   "It is measured as JSON text without blanks.",
			   &dx_max_definition, 1, 256 * 1024, PGC_SUSET, GUC_UNIT_KB);
	define_int("dealix_exec.max_evaluation",
			   "Maximum amount of data that the evaluation of one state may build.",
			   "All that its fields and functions make counts, also what is not part of the output. Beyond it the state fails with States.DataLimitExceeded. It is never less than 32 times max_payload.",
			   &dx_max_evaluation, 1024, 1024 * 1024, PGC_SUSET, GUC_UNIT_KB);
	define_int("dealix_exec.program_cache",
			   "Memory that each process keeps of definitions, their expressions and the calls of their steps.",
			   "Beyond it, what was not used for longest is forgotten between two transactions, and loaded again when it is needed.",
			   &dx_program_cache, 256, 16 * 1024 * 1024, PGC_SUSET, GUC_UNIT_KB);
}

/* What goes on between runs, and between runs and others. */
static void
define_exchange(void)
{
	define_int("dealix_exec.max_inbox",
			   "Maximum number of signals that wait in the inbox of a run.",
			   "Who sends one more gets an error. Commands, like cancel, always get in.",
			   &dx_max_inbox, 1, INT_MAX, PGC_SUSET, 0);
	define_int("dealix_exec.max_inbox_size",
			   "Maximum size of the signals that wait in the inbox of a run.",
			   "It is measured as they are stored, compressed if that helps. One signal always gets in.",
			   &dx_max_inbox_size, 1, INT_MAX, PGC_SUSET, GUC_UNIT_KB);
	define_int("dealix_exec.max_child_depth",
			   "Maximum depth of runs that start runs that start runs.",
			   "A run that nobody has started from a run has depth 0.",
			   &dx_max_child_depth, 1, 1000, PGC_SUSET, 0);
	define_int("dealix_exec.evaluation_timeout",
			   "Maximum time that the paths, templates or the expression of one field of a state may take; 0 is no limit.",
			   "What takes longer is States.Timeout, for Catch. Functions called by a Task have its TimeoutSeconds.",
			   &dx_evaluation_timeout, 0, INT_MAX, PGC_SUSET, GUC_UNIT_MS);
	DefineCustomEnumVariable("dealix_exec.governance",
							 "What is asked of workflows whose effects leave the database.",
							 "declared: versions with external effects are released before they run, and what was overridden is recorded. required: every Task says its side effect, and nothing is overridden. off: neither. What a Task declares is enforced in each.",
							 &dx_governance, DX_GOVERNANCE_DECLARED, governance_words,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("dealix_exec.superuser_runs",
							 "Whether superusers may own runs.",
							 "Whoever publishes a workflow, or owns a function that it calls, acts as the owner of its runs.",
							 &dx_superuser_runs, false, PGC_SIGHUP, 0,
							 NULL, NULL, NULL);
	DefineCustomStringVariable("dealix_exec.outbox_channel",
							   "Channel that gets a NOTIFY when runs have emitted events; empty: none.",
							   "One notification a transaction, whatever their number. NOTIFY makes commits take turns: leave it empty where throughput matters.",
							   &dx_outbox_channel, "", PGC_SIGHUP,
							   0, NULL, NULL, NULL);
	define_int("dealix_exec.outcome_retention",
			   "Time for which the outcome of an activity task is kept for a worker that asks again.",
			   "A repeated dealix.complete() is answered with it for so long, and refused afterwards.",
			   &dx_outcome_retention, 60, INT_MAX / 1000, PGC_SIGHUP, GUC_UNIT_S);
	define_int("dealix_exec.max_lease",
			   "Longest lease that dealix.claim() gives without a heartbeat.",
			   "A worker that wants more is refused: heartbeats make a lease last.",
			   &dx_max_lease, 1, INT_MAX / 1000, PGC_SIGHUP, GUC_UNIT_S);
}

/*
 * Sizes of shared memory.  A session that loads the library by itself has no
 * shared memory, and may not define PGC_POSTMASTER variables: there they are
 * shown and mean nothing.
 */
static void
define_sizes(void)
{
	GucContext	context = process_shared_preload_libraries_in_progress ?
	PGC_POSTMASTER : PGC_SIGHUP;

	define_int("dealix_exec.max_databases",
			   "Number of databases that the launcher can look after.",
			   "In databases beyond it runs go on only by dealix.tick() and dealix.drain().",
			   &dx_max_databases, 1, 10000, context, 0);
	define_int("dealix_exec.max_rings",
			   "Number of wake-up rings in shared memory, one per database and owner with work.",
			   "Never less than max_worker_processes. Owners beyond it wait in line for one.",
			   &dx_max_rings, 1, 10000, context, 0);
	define_int("dealix_exec.max_owners",
			   "Number of owners that can wait in line for a wake-up ring, about 60 bytes each.",
			   "Owners beyond it are found by sweeps.",
			   &dx_max_owners, 64, 10 * 1000 * 1000, context, 0);
	define_int("dealix_exec.ring_size",
			   "Number of run ids that a wake-up ring holds, 18 bytes each.",
			   "What does not fit is found by an index scan.",
			   &dx_ring_size, 16, 1024 * 1024, context, 0);
}

/*
 * dx_guc_init
 *		Defines all settings and reserves the prefix, so that a misspelt one is
 *		an error.  From _PG_init.
 */
void
dx_guc_init(void)
{
	define_worker_settings();
	define_limits();
	define_exchange();
	define_sizes();
#ifdef USE_ASSERT_CHECKING
	DefineCustomBoolVariable("dealix_exec.scan_plans",
							 "For tests: engine statements scan, hash and merge where they can.",
							 NULL, &dx_scan_plans, false, PGC_SUSET,
							 GUC_NO_SHOW_ALL | GUC_NOT_IN_SAMPLE,
							 NULL, NULL, NULL);
#endif
	MarkGUCPrefixReserved("dealix_exec");
}
