/*-------------------------------------------------------------------------
 *
 * careful.c
 *	  What the server refuses while a state is evaluated is the state's error.
 *
 * Data can make the server's own functions fail: a character that the
 * encoding lacks, a value that is too large, a stack that is too deep.  Such an
 * ERROR ends the pass.  The run then goes alone, and if it fails there too, the
 * place at which it did is remembered in this process: a pass over the same run
 * that comes to the same place puts the error there as the state's, where Retry
 * and Catch (of a compensation its Retry) see it, and ends after it.  So nothing
 * is paid where nothing fails, and nothing has to be undone in memory.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/fault.h"
#include "asl/json.h"
#include "base/guc.h"
#include "base/sqlstate.h"
#include "engine/careful.h"
#include "engine/model.h"
#include "mb/pg_wchar.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

/* Longer texts of errors are cut: they go into the history, and to Catch. */
#define MAX_ERROR	512
#define MAX_CAUSE	(32 * 1024)

/* A state works with its input several times; so often at least it may. */
#define EVALUATION_FACTOR	32

/* Where a run is, as exactly as it can be found again. */
typedef struct Place
{
	bool		known;
	pg_uuid_t	run_id;
	int32		branch;
	int32		seq;
	int32		attempt;
	DxPhase		phase;
	int			state;			/* index, -1: before the first */
} Place;

static Place here;				/* where the pass is */
static Place broken;			/* where it fails, */
static bool broken_twice;		/* also with the error put there */
static char broken_error[128];
static char broken_cause[1024];

/* Where a branch of a run is. */
static Place
place_of(const DxRun *run, const DxBranch *branch)
{
	Place		place = {true};

	place.run_id = run->id;
	place.branch = branch->branch;
	place.seq = run->seq;
	place.attempt = branch->attempt;
	place.phase = branch->phase == DX_PHASE_RETRY ? DX_PHASE_READY : branch->phase;
	place.state = branch->state ? branch->state->index : -1;
	return place;
}

/* Is it the same place, reached again in the same way? */
static bool
same_place(const Place *a, const Place *b)
{
	return a->known && b->known && a->branch == b->branch && a->seq == b->seq &&
		a->attempt == b->attempt && a->phase == b->phase && a->state == b->state &&
		memcmp(&a->run_id, &b->run_id, UUID_LEN) == 0;
}

/* How many bytes the evaluation of a state may build. */
Size
dx_evaluation_limit(void)
{
	return (Size) Max(dx_max_evaluation, dx_max_payload * EVALUATION_FACTOR) * 1024;
}

/*
 * A branch is about to be advanced: true if the server has refused that before.
 * *fault is the error, *for_good: neither Retry nor Catch help.
 */
bool
dx_careful_enter(const DxRun *run, const DxBranch *branch, DxFault *fault,
				 bool *for_good)
{
	here = place_of(run, branch);
	dx_build_begin(dx_evaluation_limit());
	if (!same_place(&here, &broken))
		return false;
	fault->error = pstrdup(broken_error);
	fault->cause = pstrdup(broken_cause);
	*for_good = broken_twice;
	return true;
}

/* It was advanced; what fails from here on is not the state's. */
void
dx_careful_leave(void)
{
	here.known = false;
	dx_build_begin(0);
}

/* Can data be to blame for this error? */
static bool
blames_data(int sqlstate, const char *message)
{
	int			category = ERRCODE_TO_CATEGORY(sqlstate);

	return category == ERRCODE_TO_CATEGORY(ERRCODE_DATA_EXCEPTION) ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_PROGRAM_LIMIT_EXCEEDED) ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_FEATURE_NOT_SUPPORTED) ||
		(sqlstate == ERRCODE_INTERNAL_ERROR &&
		 strncmp(message, "invalid memory alloc request size", 33) == 0);
}

/*
 * A pass over this run alone has failed and was rolled back.  True if another
 * one makes sense: it will find the error at its place.
 */
bool
dx_careful_failed(const pg_uuid_t *run_id, int sqlstate, const char *message)
{
	bool		too_large = ERRCODE_TO_CATEGORY(sqlstate) != ERRCODE_TO_CATEGORY(ERRCODE_DATA_EXCEPTION) &&
	ERRCODE_TO_CATEGORY(sqlstate) != ERRCODE_TO_CATEGORY(ERRCODE_FEATURE_NOT_SUPPORTED);
	bool		again = same_place(&here, &broken);

	if (!here.known || memcmp(&here.run_id, run_id, UUID_LEN) != 0 ||
		!blames_data(sqlstate, message) || (again && broken_twice))
	{
		here.known = broken.known = false;
		return false;
	}
	broken = here;
	here.known = false;
	broken_twice = again;
	if (too_large)
		strlcpy(broken_error, DX_ERROR_DATA_LIMIT, sizeof(broken_error));
	else
		snprintf(broken_error, sizeof(broken_error), "SQL.%s", dx_sqlstate_name(sqlstate));
	strlcpy(broken_cause, message, sizeof(broken_cause));
	/* The cut may have gone through a character. */
	broken_cause[pg_mbcliplen(broken_cause, strlen(broken_cause), sizeof(broken_cause) - 8)] = '\0';
	return true;
}

/* text, or a copy of its beginning of at most max bytes. */
static char *
clip(char *text, int max)
{
	char	   *copy;
	size_t		len;
	int			kept;

	if (text == NULL || (len = strnlen(text, max + 1)) <= max)
		return text;
	kept = pg_mbcliplen(text, len, max - 3);
	copy = palloc(kept + 4);
	memcpy(copy, text, kept);
	strcpy(copy + kept, "...");
	return copy;
}

/* A fault whose texts are short enough for the history and for Catch. */
DxFault
dx_fault_clipped(const DxFault *fault)
{
	DxFault		clipped = *fault;

	clipped.error = clip(fault->error, MAX_ERROR);
	clipped.cause = clip(fault->cause, MAX_CAUSE);
	return clipped;
}

/* A text of the server's that becomes part of a cause. */
char *
dx_cause_clipped(char *text)
{
	return clip(text, MAX_CAUSE);
}
