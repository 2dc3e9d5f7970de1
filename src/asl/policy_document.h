/*-------------------------------------------------------------------------
 *
 * policy_document.h
 *	  A policy: what is to be decided about effects, as rules of Choice states.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ASL_POLICY_DOCUMENT_H
#define DX_ASL_POLICY_DOCUMENT_H

#include "asl/asl.h"
#include "asl/classes.h"
#include "asl/fault.h"
#include "asl/problem.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

/* A rule: what it matches, and what it says. */
typedef struct DxPolicyRule
{
	DxRule	   *test;
	bool		names_action;	/* it matches only actions that it names */
	char		class;			/* 'A', 'B' or 'C' */
	List	   *approvers;		/* char * */
	Jsonb	   *all_of;			/* or NULL */
	int			quorum;			/* 0: says nothing */
	double		sla;			/* seconds, 0: none */
	double		expire;
	Jsonb	   *escalation;		/* or NULL */
	int			canary;			/* the first so many effects are of class B */
} DxPolicyRule;

/* The least that an action is. */
typedef struct DxPolicyAction
{
	char	   *name;
	DxClasses	least;
} DxPolicyAction;

typedef struct DxPolicy
{
	int			nrules;
	DxPolicyRule *rules;
	int			nactions;
	DxPolicyAction *actions;
	bool		asks_first_use; /* some rule looks at $.first_use, */
	bool		asks_payload;	/* or at the payload */
} DxPolicy;

extern DxPolicy *dx_policy_compile(const Jsonb *document, DxProblems *problems);
extern int	dx_policy_match(const DxPolicy *policy, Jsonb *subject, DxFault *fault);
extern const DxPolicyAction *dx_policy_action(const DxPolicy *policy, const char *name);
extern List *dx_policy_roles(const DxPolicy *policy);

#endif							/* DX_ASL_POLICY_DOCUMENT_H */
