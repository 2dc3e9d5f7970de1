/*-------------------------------------------------------------------------
 *
 * integration_io.h
 *	  What a Task that is an integration of AWS gives to what it calls, and
 *	  how its result looks.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_INTEGRATION_IO_H
#define DX_ENGINE_INTEGRATION_IO_H

#include "asl/asl.h"
#include "asl/fault.h"
#include "engine/model.h"
#include "engine/pass.h"
#include "utils/jsonb.h"

extern Jsonb *dx_integration_input(const DxTask *task, Jsonb *effective);
extern Jsonb *dx_integration_result(const DxPass *pass, const DxBranch *branch,
									Jsonb *input, Jsonb *result);
extern void dx_integration_fault(const DxPass *pass, const DxBranch *branch,
								 Jsonb *input, const char *status, DxFault *fault);
extern Jsonb *dx_called_with(DxPass *pass, DxRun *run, DxBranch *branch);

#endif							/* DX_ENGINE_INTEGRATION_IO_H */
