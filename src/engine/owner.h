/*-------------------------------------------------------------------------
 *
 * owner.h
 *	  Which roles may own runs: those that exist, may log in and are no
 *	  superusers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_OWNER_H
#define DX_ENGINE_OWNER_H

typedef struct DxOwnerProblem
{
	int			sqlstate;
	char	   *message;
	char	   *detail;
	char	   *hint;
} DxOwnerProblem;

extern bool dx_owner_allowed(Oid owner, DxOwnerProblem *problem);
extern void dx_owner_check(Oid owner);

#endif							/* DX_ENGINE_OWNER_H */
