/*-------------------------------------------------------------------------
 *
 * outcome.h
 *	  What has become of a branch's state.
 *
 * Whatever does a state (step.c, signal.c, join.c, undo.c, and the room outside
 * through DxResource) says by such a value how it went.  What follows from it,
 * Retry, Catch, the next state or the end, is interpret.c's alone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_OUTCOME_H
#define DX_ENGINE_OUTCOME_H

#include "asl/fault.h"
#include "engine/model.h"
#include "utils/jsonb.h"

typedef enum DxOutcomeKind
{
	DX_OUTCOME_PARKED,			/* its phase says what it waits for, or that
								 * it goes on */
	DX_OUTCOME_OPENED,			/* a child has the next turn */
	DX_OUTCOME_DONE,			/* the state has a result */
	DX_OUTCOME_FAILED,			/* the attempt has; Retry, then Catch */
	DX_OUTCOME_GAVE_UP,			/* another attempt cannot help: Catch */
	DX_OUTCOME_BROKEN,			/* neither helps: the branch has failed */
	DX_OUTCOME_ALLOWED,			/* of the gate: the effect may go out */
	DX_OUTCOME_INCIDENT,		/* a person has to look: the run stops */
	DX_OUTCOME_TIMED_OUT,		/* the time of the whole run is over */
	DX_OUTCOME_UNDONE,			/* the run has compensated, and ends */
	DX_OUTCOME_CONTINUED		/* another run goes on in its place */
} DxOutcomeKind;

typedef struct DxOutcome
{
	DxOutcomeKind kind;
	Jsonb	   *result;			/* DONE, CONTINUED */
	DxBranch   *child;			/* OPENED */
	DxFault		fault;			/* FAILED, GAVE_UP, BROKEN, INCIDENT */
	bool		unknown;		/* INCIDENT: whether the effect was had is not
								 * known */
	bool		heartbeat;		/* FAILED: it is recorded as States.Timeout,
								 * and is a heartbeat that did not come */
} DxOutcome;

/* An outcome of which nothing is to be known but its kind. */
static inline DxOutcome
dx_outcome(DxOutcomeKind kind)
{
	DxOutcome	outcome = {kind};

	return outcome;
}

/* The branch waits, or goes on by itself: see DX_OUTCOME_PARKED. */
static inline DxOutcome
dx_parked(void)
{
	return dx_outcome(DX_OUTCOME_PARKED);
}

/* The effect may go out. */
static inline DxOutcome
dx_allowed(void)
{
	return dx_outcome(DX_OUTCOME_ALLOWED);
}

/* The state has this result. */
static inline DxOutcome
dx_done(Jsonb *result)
{
	DxOutcome	outcome = {DX_OUTCOME_DONE};

	Assert(result != NULL);
	outcome.result = result;
	return outcome;
}

/* A child was opened; it goes first. */
static inline DxOutcome
dx_opened(DxBranch *child)
{
	DxOutcome	outcome = {DX_OUTCOME_OPENED};

	Assert(child->phase == DX_PHASE_READY && child->parent >= 0);
	outcome.child = child;
	return outcome;
}

/* kind: FAILED, GAVE_UP, BROKEN or INCIDENT. */
static inline DxOutcome
dx_fault_of(DxOutcomeKind kind, const DxFault *fault)
{
	DxOutcome	outcome = {kind};

	Assert(kind == DX_OUTCOME_FAILED || kind == DX_OUTCOME_GAVE_UP ||
		   kind == DX_OUTCOME_BROKEN || kind == DX_OUTCOME_INCIDENT);
	outcome.fault = *fault;
	return outcome;
}

/* The attempt has failed. */
static inline DxOutcome
dx_failed(const DxFault *fault)
{
	return dx_fault_of(DX_OUTCOME_FAILED, fault);
}

/* The same, for an attempt whose heartbeat did not come in time. */
static inline DxOutcome
dx_heartbeat_missed(char *cause)
{
	DxFault		fault = {DX_ERROR_TIMEOUT, cause};
	DxOutcome	outcome = dx_failed(&fault);

	outcome.heartbeat = true;
	return outcome;
}

/* It has, and another attempt cannot help. */
static inline DxOutcome
dx_gave_up(const DxFault *fault)
{
	return dx_fault_of(DX_OUTCOME_GAVE_UP, fault);
}

/* The state cannot be done: neither Retry nor Catch help. */
static inline DxOutcome
dx_broken(const DxFault *fault)
{
	return dx_fault_of(DX_OUTCOME_BROKEN, fault);
}

/* A person has to look. */
static inline DxOutcome
dx_incident(const DxFault *fault)
{
	return dx_fault_of(DX_OUTCOME_INCIDENT, fault);
}

/* Another run goes on in the place of this one, whose output this is. */
static inline DxOutcome
dx_continued(Jsonb *output)
{
	DxOutcome	outcome = {DX_OUTCOME_CONTINUED};

	Assert(output != NULL);
	outcome.result = output;
	return outcome;
}

#endif							/* DX_ENGINE_OUTCOME_H */
