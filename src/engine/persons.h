/*-------------------------------------------------------------------------
 *
 * persons.h
 *	  How many persons could decide about an approval.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_PERSONS_H
#define DX_ENGINE_PERSONS_H

#include "asl/problem.h"
#include "nodes/pg_list.h"

extern int	dx_persons(const List *names, const List *excluded, int enough);
extern void dx_check_approvers(List *names, int quorum, const char *pointer,
							   DxProblems *problems);

#endif							/* DX_ENGINE_PERSONS_H */
