/*-------------------------------------------------------------------------
 *
 * requester.h
 *	  In whose name a run is: everybody who has asked for it, along the line.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_REQUESTER_H
#define DX_ENGINE_REQUESTER_H

#include "engine/model.h"
#include "engine/pass.h"
#include "nodes/pg_list.h"
#include "utils/array.h"

extern List *dx_requesters_of(const DxRun *run);
extern List *dx_requesters_now(void);
extern void dx_requester_add(DxPass *pass, DxRun *run);
extern List *dx_requesters_but(const List *line, Oid one, Oid other);
extern ArrayType *dx_requesters_array(const List *line);
extern char *dx_requesters_text(const List *line);

#endif							/* DX_ENGINE_REQUESTER_H */
