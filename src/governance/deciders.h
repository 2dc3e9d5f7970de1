/*-------------------------------------------------------------------------
 *
 * deciders.h
 *	  Could those who are asked decide at all?
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_GOVERNANCE_DECIDERS_H
#define DX_GOVERNANCE_DECIDERS_H

#include "asl/fault.h"
#include "engine/model.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

extern bool dx_deciders_reachable(const DxRun *run, const List *names, const Jsonb *all_of,
								  int quorum, DxFault *fault);

#endif							/* DX_GOVERNANCE_DECIDERS_H */
