/*-------------------------------------------------------------------------
 *
 * decider.h
 *	  Who decides: the person, for whom, and by the rights of which roles.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_GOVERNANCE_DECIDER_H
#define DX_GOVERNANCE_DECIDER_H

#include "nodes/pg_list.h"
#include "utils/jsonb.h"
#include "utils/uuid.h"

typedef struct DxDecider
{
	Oid			session;		/* who has logged in */
	char	   *person;
	bool		on_behalf;		/* the session is a gateway's, for the person */
	List	   *roles;			/* whose rights the person has; Oids */
	List	   *for_roles;		/* the same of who has delegated it */
	char	   *for_person;		/* or NULL: she decides for herself */
} DxDecider;

/* Who is to decide about an intent, and who must not. */
typedef struct DxAsked
{
	const pg_uuid_t *intent_id;
	int			version;		/* of the payload */
	int			quorum;
	List	   *approvers;		/* char *; NIL: everybody with the access */
	Jsonb	   *all_of;			/* groups of which each has to agree */
	List	   *askers;			/* Oids: who has asked for it */
} DxAsked;

extern void dx_decider_find(const char *on_behalf_of, DxDecider *decider);
extern bool dx_any_may(const List *roles, const List *approvers);
extern bool dx_decider_may(DxDecider *decider, const DxAsked *asked);
extern bool dx_decider_asked(const DxDecider *decider, const DxAsked *asked);

#endif							/* DX_GOVERNANCE_DECIDER_H */
