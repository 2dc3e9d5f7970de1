/*-------------------------------------------------------------------------
 *
 * policy.h
 *	  What the policy in force says about an effect.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_GOVERNANCE_POLICY_H
#define DX_GOVERNANCE_POLICY_H

#include "asl/classes.h"
#include "asl/policy_document.h"
#include "governance/actor.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

/* What is asked for; all of it is evaluated. */
typedef struct DxAsk
{
	const char *action;			/* NULL or "": none */
	DxClasses	classes;		/* as the definition declares them */
	const char *tenant;			/* NULL: none */
	const char *run_tenant;		/* of the run; NULL: it says none */
	const char *workflow;
	const char *state;
	Oid			requester;
	List	   *requesters;		/* Oids of all who have asked, the owner among
								 * them */
	Jsonb	   *payload;
	bool		correlated;		/* the run has a correlation id */
	bool		synchronous;	/* its durability is sync */
	List	   *approvers;		/* char *: roles that the definition asks for */
	int			quorum;			/* of the definition; 0: says nothing */

	/* dx_policy_judge finds out; a trial says: */
	DxActorType actor_type;		/* of who has asked */
	char	   *requester_name; /* NULL: that of requester */
	bool		first_use_given;
	bool		first_use;
	bool		counts_canary;	/* else nothing is one of the first */
} DxAsk;

typedef struct DxVerdict
{
	char		class;			/* 'A', 'B' or 'C' */
	DxClasses	classes;		/* not less than what the policy says of the
								 * action */
	int			policy_version; /* 0: none is in force */
	int			rule;			/* index, -1: none matched */
	List	   *floors;			/* char *: those that decided or raised */
	List	   *approvers;		/* char *: roles; NIL: everybody with the
								 * access */
	Jsonb	   *all_of;			/* array of arrays of names, or NULL */
	int			quorum;			/* at least 1 in class B */
	double		sla;			/* seconds, 0: none */
	double		expire;
	Jsonb	   *escalation;		/* as in the document, or NULL */
	char	   *why;			/* a sentence */
} DxVerdict;

extern void dx_policy_judge(DxAsk *ask, DxVerdict *verdict);
extern void dx_policy_apply(const DxPolicy *policy, int version, const DxAsk *ask,
							DxVerdict *verdict);
extern const DxPolicy *dx_policy_current(int *version);
extern void dx_policy_forget(void);
extern Jsonb *dx_all_of_with(const Jsonb *all_of, const List *names);

#endif							/* DX_GOVERNANCE_POLICY_H */
