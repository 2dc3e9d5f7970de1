/*-------------------------------------------------------------------------
 *
 * plan.c
 *	  Statements of the engine, with saved plans.
 *
 * Owns the plans that hang on DxStatement.  They are made under the
 * extension's owner and a fixed search_path, and are generic: the engine's
 * statements are index look-ups whatever their parameters are.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/bounds.h"
#include "base/extension.h"
#include "base/identity.h"
#include "base/plan.h"
#include "executor/spi.h"
#include "nodes/parsenodes.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/snapmgr.h"

/* What a generic plan takes that is made at a later execution. */
#define GENERIC_PLAN_SIZE	4096

/*
 * Prepares and keeps the plan of a statement that is used for the first time.
 * Needs SPI_connect.
 */
static void
prepare(DxStatement *statement)
{
	SPIPlanPtr	plan;

	if (statement->plan != NULL)
		return;
	plan = SPI_prepare_cursor(statement->sql, statement->nargs,
							  statement->argtypes,
							  CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL || SPI_keepplan(plan) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_SYSTEM_ERROR),
				 errmsg("could not prepare an engine statement: %s",
						SPI_result_code_string(SPI_result)),
				 errdetail("Statement: %s", statement->sql)));
	statement->plan = plan;
}

/* An error of SPI that it did not throw is thrown here. */
static int
executed(const DxStatement *statement, int rc)
{
	if (rc < 0)
		ereport(ERROR,
				(errcode(ERRCODE_SYSTEM_ERROR),
				 errmsg("could not execute an engine statement: %s",
						SPI_result_code_string(rc)),
				 errdetail("Statement: %s", statement->sql)));
	return rc;
}

/*
 * Executes a statement of the engine.
 *
 * values, nulls: as for SPI_execute_plan; max_rows 0 = all.  Returns the SPI
 * result code, SPI_processed and SPI_tuptable are set.  Errors: whatever the
 * statement raises; 58000 when it cannot be prepared.
 */
int
dx_execute(DxStatement *statement, Datum *values, const char *nulls,
		   bool read_only, long max_rows)
{
	Assert(dx_engine_entered());
	prepare(statement);
	return executed(statement, SPI_execute_plan(statement->plan, values, nulls,
												read_only, max_rows));
}

/*
 * The same for who does nothing else as the extension's owner: enters, executes
 * and leaves.  The values are the caller's to compute before.  SPI_processed and
 * SPI_tuptable are set.
 */
void
dx_query(DxStatement *statement, Datum *values, const char *nulls,
		 bool read_only, long max_rows)
{
	DxIdentity	saved;

	dx_engine_enter(&saved);
	(void) dx_execute(statement, values, nulls, read_only, max_rows);
	dx_engine_leave(&saved);
}

/*
 * The same for a statement that writes, and sees all that is committed when it
 * begins, whatever the isolation level is.  No value is null.
 */
int
dx_execute_latest(DxStatement *statement, Datum *values)
{
	Assert(dx_engine_entered());
	prepare(statement);
	return executed(statement, SPI_execute_snapshot(statement->plan, values, NULL,
													GetLatestSnapshot(),
													InvalidSnapshot, false,
													true, 0));
}

/*
 * What a kept plan takes in bytes, its sources and its generic plan together;
 * an estimate, for the limits of caches.
 */
Size
dx_plan_size(SPIPlanPtr plan)
{
	Size		size = 0;
	ListCell   *lc;

	foreach(lc, SPI_plan_get_plan_sources(plan))
	{
		CachedPlanSource *source = lfirst(lc);

		size += MemoryContextMemAllocated(source->context, true) + GENERIC_PLAN_SIZE;
		if (source->gplan != NULL)
			size += MemoryContextMemAllocated(source->gplan->context, true);
	}
	return size;
}

/*
 * The error of dx_check_room: there are more rows than the caller has asked
 * for.  XX000: the statement or the caller is wrong, not the data.
 */
void
dx_no_room(int64 room, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INTERNAL_ERROR),
			 errmsg("there are more %s than the %lld that there is room for",
					what, (long long) room),
			 errhint("This is an error in %s; nothing was written.",
					 DX_EXTENSION)));
}
