/*-------------------------------------------------------------------------
 *
 * redrive.c
 *	  Redrive: a run goes on from where it stopped.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/json.h"
#include "base/plan.h"
#include "base/poison.h"
#include "base/sqlstate.h"
#include "base/uuid.h"
#include "base/wake.h"
#include "engine/branch.h"
#include "engine/handout.h"
#include "engine/history.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "engine/payload.h"
#include "engine/phase.h"
#include "engine/redrive.h"
#include "engine/requester.h"
#include "engine/run.h"
#include "engine/token.h"
#include "executor/spi.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

static DxStatement failure_statement = {
	"SELECT state, payload FROM dealix.history_event"
	" WHERE run_id = $1 AND kind = $2 ORDER BY seq DESC LIMIT 1",
	2, {UUIDOID, INT2OID}
};

/* Brings an incident's branches back to life: attempts count from zero. */
static void
resume_incident(DxPass *pass, DxRun *run)
{
	ListCell   *lc;

	dx_run_set_status(run, run->final_status == DX_RUN_NONE ?
					  DX_RUN_RUNNING : DX_RUN_COMPENSATING);
	if (run->status == DX_RUN_RUNNING)
		run->error = run->cause = NULL;
	foreach(lc, run->branches)
	{
		DxBranch   *branch = lfirst(lc);

		dx_branch_resume(pass, branch);
		branch->retries = NULL;
		branch->nretries = 0;
		if (branch->phase == DX_PHASE_UNDO && !branch->ticketed)
			branch->attempt = 0;
		branch->changed = true;
	}
}

/* Makes the branch of a failed run again from what its failure recorded. */
static void
resume_failed(DxPass *pass, DxRun *run)
{
	Datum		values[2];
	DxBranch   *branch;
	MemoryContext oldcxt = CurrentMemoryContext;
	char	   *state;
	Jsonb	   *payload;
	bool		isnull;
	char	   *token;

	values[0] = UUIDPGetDatum(&run->id);
	values[1] = Int16GetDatum(DX_EVENT_STATE_FAILED);
	dx_query(&failure_statement, values, NULL, false, 1);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(DX_SQLSTATE_WRONG_STATE),
				 errmsg("run %s did not fail in a state", dx_uuid_text(&run->id)),
				 errhint("Start a new run.")));

	MemoryContextSwitchTo(pass->cxt);
	state = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	payload = DatumGetJsonbPCopy(SPI_getbinval(SPI_tuptable->vals[0],
											   SPI_tuptable->tupdesc, 2, &isnull));
	dx_run_set_status(run, DX_RUN_RUNNING);
	run->error = run->cause = NULL;
	run->finished_at = 0;
	run->deadline = DT_NOEND;
	branch = dx_branch_new(pass, run, -1);
	dx_branch_goto(branch, dx_program_find_state(run->program, state),
				   dx_json_get_json(payload, "input"));
	branch->variables = dx_json_get_json(payload, "variables");
	/* What was handed out keeps its idempotency key. */
	token = dx_json_get_text(payload, "token");
	if (token != NULL)
		branch->ticketed = dx_token_parse(token, &branch->ticket, &branch->attempt);

	/*
	 * Its end has given the slot back that it had, if its workflow is
	 * limited.
	 */
	dx_branch_set_phase(branch, DX_PHASE_SLOT, pass->now);
	MemoryContextSwitchTo(oldcxt);
	SPI_freetuptable(SPI_tuptable);
}

/*
 * Goes on from where a run stopped: an incident from its branches, a failed
 * run from its failed state.  Errors: DX007 when there is nothing to go on
 * from.
 */
void
dx_run_redrive(DxPass *pass, DxRun *run)
{
	DxRunStatus before = run->status;
	DxActor		actor = dx_actor();

	if (before == DX_RUN_INCIDENT)
		resume_incident(pass, run);
	else if (!dx_status_ended(before) && dx_poison_left_alone(&run->id))
		 /* nothing in the tables has stopped it */ ;
	else if (dx_status_ended(before) && run->map_state != NULL)
		ereport(ERROR,
				(errcode(DX_SQLSTATE_WRONG_STATE),
				 errmsg("run %s is an item of a Map, which has counted its outcome",
						dx_uuid_text(&run->id)),
				 errhint("Redrive run %s, whose Map begins anew.",
						 dx_uuid_text(&run->parent_run))));
	else if ((before == DX_RUN_FAILED || before == DX_RUN_TIMED_OUT) &&
			 run->undone_to == 0)
		resume_failed(pass, run);
	else if (before == DX_RUN_FAILED || before == DX_RUN_TIMED_OUT)
		ereport(ERROR,
				(errcode(DX_SQLSTATE_WRONG_STATE),
				 errmsg("run %s is already compensated", dx_uuid_text(&run->id)),
				 errdetail("What its failed step was to build upon is undone."),
				 errhint("Start a new run.")));
	else
		ereport(ERROR,
				(errcode(DX_SQLSTATE_WRONG_STATE),
				 errmsg("run %s cannot be redriven: it is %s",
						dx_uuid_text(&run->id), dx_status_name(before)),
				 errhint("Only runs that are FAILED, TIMED_OUT or INCIDENT can.")));

	run->redrives = Min(run->redrives + 1, PG_INT16_MAX);
	/* Who redrives it has repaired what it died of, or thinks so. */
	dx_poison_forget(&run->id);
	/* What it asks people now, it asks for him as well. */
	dx_requester_add(pass, run);
	dx_event_by(pass, run, DX_EVENT_RUN_REDRIVEN, &actor,
				dx_payload("from", dx_json_string(dx_status_name(before)), NULL));
	dx_wake_run(run->owner, &run->id, run->priority);
}
