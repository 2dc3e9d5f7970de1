/*-------------------------------------------------------------------------
 *
 * build_limit.c
 *	  How much data an evaluation may make.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/json.h"

/* What may be built, and was; 0 = any amount. */
static Size build_limit = 0;
static Size built = 0;

/*
 * From here on no more than limit bytes are built, all together: looked at
 * before they are allocated.  0: any amount.
 */
void
dx_build_begin(Size limit)
{
	build_limit = limit;
	built = 0;
}

/* So much is about to be built.  Errors: 54000 when that is too much. */
void
dx_build_count(Size size)
{
	built += size;
	if (build_limit > 0 && built > build_limit)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the state makes more than %zu kB of data", build_limit / 1024),
				 errhint("Select less of the input, or raise dealix_exec.max_evaluation.")));
}
