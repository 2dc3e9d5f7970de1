/*-------------------------------------------------------------------------
 *
 * integration.h
 *	  The integrations of AWS that name what they call in a parameter:
 *	  states:startExecution by StateMachineArn, lambda:invoke by
 *	  FunctionName.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ASL_INTEGRATION_H
#define DX_ASL_INTEGRATION_H

#include "asl/asl.h"
#include "asl/compile.h"

extern const char *dx_compile_integration(DxCompiler *c,
										  const DxStateSource *source,
										  DxTask *task);
extern void dx_check_integration(DxCompiler *c, const DxStateSource *source,
								 DxTask *task);

#endif							/* DX_ASL_INTEGRATION_H */
