/*-------------------------------------------------------------------------
 *
 * line.h
 *	  Lines: runs of which each goes on in the place of the one before
 *	  (workflow:continue_as_new).
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_LINE_H
#define DX_ENGINE_LINE_H

#include "engine/model.h"
#include "engine/pass.h"
#include "nodes/pg_list.h"
#include "utils/uuid.h"

extern void dx_line_last(const pg_uuid_t *first_run, pg_uuid_t *last);
extern void dx_line_wake(const DxRun *run);
extern void dx_line_load(DxPass *pass, List *runs);

#endif							/* DX_ENGINE_LINE_H */
