/*-------------------------------------------------------------------------
 *
 * actor.h
 *	  What stands behind a role: a person, an agent, a program.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_GOVERNANCE_ACTOR_H
#define DX_GOVERNANCE_ACTOR_H

#include "nodes/pg_list.h"

/* Stored. */
typedef enum DxActorType
{
	DX_ACTOR_HUMAN = 1,
	DX_ACTOR_OBSERVER,
	DX_ACTOR_RECOMMENDER,
	DX_ACTOR_EXECUTOR,
	DX_ACTOR_AUTOMATED
} DxActorType;

extern const char *dx_actor_type_name(DxActorType type);
extern DxActorType dx_actor_type_parse(const char *name);
extern DxActorType dx_actor_type_of_all(const List *roles);
extern bool dx_actor_of(Oid role, DxActorType *type, char **person);
extern char *dx_person_of(Oid role);
extern List *dx_roles_of_person(const char *person);
extern bool dx_is_gateway(Oid role);
extern void dx_require_human(const char *does);
extern void dx_require_other(Oid role, const char *person);
extern void dx_actors_forget(void);
extern void dx_actor_register(Oid role, DxActorType type, const char *person);
extern bool dx_actor_unregister(Oid role);

#endif							/* DX_GOVERNANCE_ACTOR_H */
