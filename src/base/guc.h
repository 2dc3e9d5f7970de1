/*-------------------------------------------------------------------------
 *
 * guc.h
 *	  The settings dealix_exec.*: their variables, defaults and bounds.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_BASE_GUC_H
#define DX_BASE_GUC_H

typedef enum DxGovernanceMode
{
	DX_GOVERNANCE_OFF,
	DX_GOVERNANCE_DECLARED,
	DX_GOVERNANCE_REQUIRED
}			DxGovernanceMode;

extern int	dx_workers;			/* workers per (database, owner) at most */
extern int	dx_worker_idle_timeout; /* ms */
extern int	dx_pass_max_runs;
extern int	dx_pass_max_time;	/* ms */
extern char *dx_databases;		/* "*" or a comma list of names */
extern int	dx_sweep_interval;	/* s */
extern int	dx_max_depth;		/* nesting of JSON taken in */
extern int	dx_max_payload;		/* kB */
extern int	dx_max_events;		/* of a run */
extern int	dx_warn_events;
extern int	dx_max_states;		/* of a definition */
extern int	dx_max_definition;	/* kB */
extern int	dx_max_evaluation;	/* kB */
extern int	dx_outcome_retention;	/* s */
extern int	dx_max_lease;		/* s */
extern int	dx_max_child_depth;
extern int	dx_program_cache;	/* kB */
extern int	dx_max_inbox;
extern int	dx_max_inbox_size;
extern int	dx_evaluation_timeout;	/* ms, 0 = none */
extern int	dx_pass_max_subtransactions;	/* 0 = no limit */
extern int	dx_governance;		/* DxGovernanceMode */
extern bool dx_superuser_runs;
extern char *dx_outbox_channel; /* "": no NOTIFY */

#ifdef USE_ASSERT_CHECKING
extern bool dx_scan_plans;		/* for tests: see identity.c */
#endif

extern void dx_guc_init(void);

extern int	dx_max_databases;
extern int	dx_max_rings;
extern int	dx_max_owners;
extern int	dx_max_workers;
extern int	dx_ring_size;

#endif							/* DX_BASE_GUC_H */
