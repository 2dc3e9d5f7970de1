/*-------------------------------------------------------------------------
 *
 * handout.h
 *	  Tasks that are done outside of the pass: what they have in common.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_HANDOUT_H
#define DX_ENGINE_HANDOUT_H

#include "asl/asl.h"
#include "engine/model.h"
#include "engine/outcome.h"
#include "engine/pass.h"
#include "utils/jsonb.h"
#include "utils/uuid.h"

/* What a branch asks of the outside; written when the pass is. */
typedef struct DxHandout
{
	DxResourceKind kind;
	DxRun	   *run;
	DxBranch   *branch;
	DxPhase		phase;
	pg_uuid_t	ticket;
	int32		attempt;
	void	   *what;			/* of the kind */
} DxHandout;

/* What a room above does for a kind of resource. */
typedef struct DxResource
{
	/* A branch has come to the Task; its effective input is evaluated. */
	DxOutcome	(*enter) (DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env);

	/* Answers have come (branch->answers), or the branch's timer is over. */
	DxOutcome	(*wake) (DxPass *pass, DxRun *run, DxBranch *branch);

	/* After an incident, in a pass: waits on, or begins anew by phase READY. */
	DxOutcome	(*resume) (DxPass *pass, DxRun *run, DxBranch *branch);

	/* Hands out a compensation.  false: that is all, nobody answers. */
	bool		(*undo) (DxPass *pass, DxRun *run, DxBranch *branch,
						 const char *target, Jsonb *input, double timeout);

	/* Does somebody still have to answer? */
	bool		(*awaited) (const pg_uuid_t *ticket, int32 attempt);

	/* Waits for the task token, after the pass has done the Task itself. */
	DxOutcome	(*await) (DxPass *pass, DxRun *run, DxBranch *branch, DxEnv *env);
} DxResource;

extern void dx_resource_register(DxResourceKind kind, const DxResource *resource);
extern const DxResource *dx_resource_of(DxResourceKind kind);
extern void dx_handout_register(void (*write) (DxPass *pass));
extern void dx_handouts_write(DxPass *pass);
extern DxHandout *dx_handout(DxPass *pass, DxRun *run, DxBranch *branch,
							 DxResourceKind kind, DxPhase phase, void *what);
extern bool dx_handout_valid(const DxHandout *handout);
extern bool dx_branch_gives_up(const DxBranch *branch);
extern void dx_branch_ticket(DxBranch *branch);
extern void dx_branch_new_ticket(DxBranch *branch);
extern DxOutcome dx_branch_wake(DxPass *pass, DxRun *run, DxBranch *branch);
extern void dx_branch_resume(DxPass *pass, DxBranch *branch);
extern bool dx_branch_answered(const DxBranch *branch);
extern DxMessage *dx_branch_answer(DxPass *pass, DxBranch *branch);
extern void dx_answers_match(DxRun *run);
extern void dx_answers_late(DxPass *pass, DxRun *run);
extern void dx_message_late(DxPass *pass, DxRun *run, DxMessage *message);

#endif							/* DX_ENGINE_HANDOUT_H */
