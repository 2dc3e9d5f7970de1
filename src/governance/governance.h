/*-------------------------------------------------------------------------
 *
 * governance.h
 *	  What leaves only with a decision: approvals, governed effects, policy.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_GOVERNANCE_H
#define DX_GOVERNANCE_H

/* From _PG_init: registers what this room does for the engine. */
extern void dx_governance_init(void);

#endif							/* DX_GOVERNANCE_H */
