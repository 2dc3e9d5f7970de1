/*-------------------------------------------------------------------------
 *
 * group.h
 *	  Groups of roles of which each has to agree (AllOf).
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_GOVERNANCE_GROUP_H
#define DX_GOVERNANCE_GROUP_H

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

extern List *dx_group_of(const Jsonb *all_of, int group);
extern bool dx_groups_filled(int ngroups, int nvoices, const bool *fits);

#endif							/* DX_GOVERNANCE_GROUP_H */
