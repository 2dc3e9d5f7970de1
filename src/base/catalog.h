/*-------------------------------------------------------------------------
 *
 * catalog.h
 *	  What is stored by number: columns of tables that are written without a
 *	  statement, and the numbers that stand for a word.
 *
 * A number that has been stored never means anything else.  test/t/05_catalog.pl
 * compares the columns with the tables, and holds the numbers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_BASE_CATALOG_H
#define DX_BASE_CATALOG_H

/* ---------- columns ---------- */

/* dealix.run */
enum
{
	Anum_run_run_id = 1,
	Anum_run_created_at,
	Anum_run_started_at,
	Anum_run_finished_at,
	Anum_run_deadline,
	Anum_run_workflow_id,
	Anum_run_version_id,
	Anum_run_owner,
	Anum_run_history_seq,
	Anum_run_last_branch,
	Anum_run_undone_to,
	Anum_run_status,
	Anum_run_final_status,
	Anum_run_priority,
	Anum_run_durability,
	Anum_run_key,
	Anum_run_correlation_id,
	Anum_run_traceparent,
	Anum_run_error,
	Anum_run_cause,
	Anum_run_chain,
	Anum_run_input,
	Anum_run_output,
	Anum_run_requester,
	Anum_run_parent_run,
	Anum_run_parent_branch,
	Anum_run_parent_ticket,
	Anum_run_close_policy,
	Anum_run_depth,
	Anum_run_children,
	Anum_run_redrives,
	Anum_run_item,
	Anum_run_map_state,
	Anum_run_first_run,
	Anum_run_continued_as,
	Anum_run_requesters,
	Anum_run_reassigned,
	Anum_run_output_of,
	Natts_run = Anum_run_output_of
};

/* dealix.branch */
enum
{
	Anum_branch_run_id = 1,
	Anum_branch_due_at,
	Anum_branch_entered_at,
	Anum_branch_owner,
	Anum_branch_branch,
	Anum_branch_parent,
	Anum_branch_item,
	Anum_branch_attempt,
	Anum_branch_conflicts,
	Anum_branch_phase,
	Anum_branch_rank,
	Anum_branch_state,
	Anum_branch_wait_for,
	Anum_branch_ticket,
	Anum_branch_retries,
	Anum_branch_counts,
	Anum_branch_data,
	Anum_branch_kept,
	Anum_branch_variables,
	Anum_branch_suspended,
	Anum_branch_undone,
	Anum_branch_intent,
	Natts_branch = Anum_branch_intent
};

/* dealix.history_event */
enum
{
	Anum_history_event_run_id = 1,
	Anum_history_event_at,
	Anum_history_event_seq,
	Anum_history_event_branch,
	Anum_history_event_attempt,
	Anum_history_event_kind,
	Anum_history_event_actor,
	Anum_history_event_session_actor,
	Anum_history_event_state,
	Anum_history_event_payload,
	Anum_history_event_hash,
	Anum_history_event_payload_of,
	Natts_history_event = Anum_history_event_payload_of
};

/* dealix.intent */
enum
{
	Anum_intent_intent_id = 1,
	Anum_intent_run_id,
	Anum_intent_created_at,
	Anum_intent_expires_at,
	Anum_intent_due_at,
	Anum_intent_decided_at,
	Anum_intent_settled_at,
	Anum_intent_owner,
	Anum_intent_requester,
	Anum_intent_requesters,
	Anum_intent_branch,
	Anum_intent_attempt,
	Anum_intent_version,
	Anum_intent_quorum,
	Anum_intent_policy_version,
	Anum_intent_rule,
	Anum_intent_kind,
	Anum_intent_status,
	Anum_intent_side_effect,
	Anum_intent_approval,
	Anum_intent_reversibility,
	Anum_intent_sensitivity,
	Anum_intent_escalated,
	Anum_intent_class,
	Anum_intent_name,
	Anum_intent_state,
	Anum_intent_workflow,
	Anum_intent_correlation_id,
	Anum_intent_tenant,
	Anum_intent_key,
	Anum_intent_summary,
	Anum_intent_reason,
	Anum_intent_floors,
	Anum_intent_hash,
	Anum_intent_approvers,
	Anum_intent_all_of,
	Anum_intent_escalation,
	Anum_intent_payload,
	Anum_intent_amended,
	Anum_intent_shape,
	Anum_intent_evidence,
	Anum_intent_outcome,
	Anum_intent_reassigned,
	Natts_intent = Anum_intent_reassigned
};

/*
 * ---------- numbers ----------
 *
 * N_NAME is the number of DX_NAME, and DX_SQL(NAME) the same as part of a
 * statement.
 */

#define DX_STRING(number)	#number
#define DX_SQL_NUMBER(number)	DX_STRING(number)
#define DX_SQL(name)		DX_SQL_NUMBER(N_##name)

/* Status of a run; from the first that has ended on, runs have ended. */
#define N_RUN_ENDED		N_RUN_SUCCEEDED
#define N_RUN_NONE	0
#define N_RUN_RUNNING	1
#define N_RUN_COMPENSATING	2
#define N_RUN_INCIDENT	3
#define N_RUN_SUCCEEDED	10
#define N_RUN_FAILED	11
#define N_RUN_TIMED_OUT	12
#define N_RUN_CANCELLED	13
#define N_RUN_TERMINATED	14

/* What a branch does at the moment. */
#define N_PHASE_READY	1
#define N_PHASE_RETRY	2
#define N_PHASE_TIMER	3
#define N_PHASE_SIGNAL	4
#define N_PHASE_JOIN	5
#define N_PHASE_UNDO	6
#define N_PHASE_ACTIVITY	7
#define N_PHASE_EVENT	8
#define N_PHASE_CHILD	9
#define N_PHASE_APPROVAL	10
#define N_PHASE_TOKEN	11
#define N_PHASE_SLOT	12

/* Kinds of message in the inbox. */
#define N_MESSAGE_SIGNAL	1
#define N_MESSAGE_CANCEL	2
#define N_MESSAGE_COMPLETED	3
#define N_MESSAGE_FAILED	4
#define N_MESSAGE_EXPIRED	5
#define N_MESSAGE_EVENT	6
#define N_MESSAGE_DECIDED	7
#define N_MESSAGE_CHILD	8
#define N_MESSAGE_TERMINATE	9
#define N_MESSAGE_COMPENSATE	10

/* Kinds of history event. */
#define N_EVENT_RUN_STARTED	1
#define N_EVENT_STATE_SUCCEEDED	2
#define N_EVENT_STEP_SUCCEEDED	3
#define N_EVENT_STEP_FAILED	4
#define N_EVENT_WAIT_STARTED	5
#define N_EVENT_SIGNAL_RECEIVED	6
#define N_EVENT_STATE_FAILED	7
#define N_EVENT_STATE_CAUGHT	8
#define N_EVENT_COMPENSATION_STARTED	9
#define N_EVENT_STEP_COMPENSATED	10
#define N_EVENT_COMPENSATION_FAILED	11
#define N_EVENT_RUN_SUCCEEDED	12
#define N_EVENT_RUN_FAILED	13
#define N_EVENT_RUN_TIMED_OUT	14
#define N_EVENT_RUN_CANCELLED	15
#define N_EVENT_RUN_TERMINATED	16
#define N_EVENT_CANCEL_REQUESTED	17
#define N_EVENT_INCIDENT_OPENED	18
#define N_EVENT_RUN_REDRIVEN	19
#define N_EVENT_MESSAGE_LATE	20
#define N_EVENT_BRANCHES_STARTED	21
#define N_EVENT_ACTIVITY_SCHEDULED	40
#define N_EVENT_EVENT_RECEIVED	41
#define N_EVENT_CHILD_STARTED	42
#define N_EVENT_INTENT_OPENED	43
#define N_EVENT_INTENT_DECIDED	44
#define N_EVENT_EMITTED	45
#define N_EVENT_RUN_CONTINUED	46
#define N_EVENT_EFFECT_ALLOWED	47
#define N_EVENT_EFFECT_REFUSED	48
#define N_EVENT_EFFECT_SETTLED	49
#define N_EVENT_RUN_REASSIGNED	60
#define N_EVENT_COMPENSABLE_SUCCEEDED	22

/* Status of an intent. */
#define N_INTENT_PENDING	1
#define N_INTENT_APPROVED	2
#define N_INTENT_REJECTED	3
#define N_INTENT_EXPIRED	4
#define N_INTENT_WITHDRAWN	5
#define N_INTENT_FORBIDDEN	6
#define N_INTENT_RUNNING	7
#define N_INTENT_DONE	8
#define N_INTENT_FAILED	9
#define N_INTENT_UNKNOWN	10
#define N_INTENT_HALTED	11

/* Kinds of an intent: an approval: state asks, or an effect wants to go out. */
#define N_INTENT_KIND_APPROVAL	1
#define N_INTENT_KIND_EFFECT	2

/* What a name of a definition meant. */
#define N_PIN_FUNCTION	1
#define N_PIN_WORKFLOW	2

/* What becomes of a child run when its parent ends. */
#define N_CLOSE_DEFAULT	0
#define N_CLOSE_TERMINATE	1
#define N_CLOSE_CANCEL	2
#define N_CLOSE_ABANDON	3

#endif							/* DX_BASE_CATALOG_H */
