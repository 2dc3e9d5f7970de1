/*-------------------------------------------------------------------------
 *
 * evict.c
 *	  Who has a run in hand, and how it is taken from him.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/kill.h"
#include "base/plan.h"
#include "base/uuid.h"
#include "catalog/pg_type.h"
#include "engine/evict.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/uuid.h"

/* A pass locks the rows of its runs. */
static DxStatement holder_statement = {
	"SELECT l.pid, l.transactionid FROM dealix.run r, pg_catalog.pg_locks l"
	" WHERE r.run_id = $1 AND l.locktype = 'transactionid' AND l.granted"
	" AND l.transactionid = r.xmax",
	1, {UUIDOID}
};

/*
 * Ends the process that has this run in hand, if there is one, when the
 * caller's transaction commits.  Errors: 42501 when the run is a superuser's
 * and the caller is none.  Needs SPI_connect.
 */
void
dx_run_evict(const pg_uuid_t *run_id, Oid owner)
{
	Datum		values[1];
	bool		isnull;

	if (superuser_arg(owner) && !superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be a superuser to end a process of a superuser"),
				 errdetail("Run %s belongs to \"%s\".", dx_uuid_text(run_id),
						   GetUserNameFromId(owner, false))));
	values[0] = UUIDPGetDatum(run_id);
	dx_query(&holder_statement, values, NULL, true, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		int			pid = DatumGetInt32(SPI_getbinval(tuple, desc, 1, &isnull));

		CHECK_FOR_INTERRUPTS();
		if (pid != 0 && pid != MyProcPid)
			dx_kill_at_commit(pid, DatumGetTransactionId(SPI_getbinval(tuple, desc, 2, &isnull)),
							  run_id);
	}
	SPI_freetuptable(SPI_tuptable);
}
