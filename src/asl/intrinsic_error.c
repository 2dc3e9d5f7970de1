/*-------------------------------------------------------------------------
 *
 * intrinsic_error.c
 *	  The faults of intrinsic functions.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/fault.h"
#include "asl/intrinsic.h"
#include "asl/value.h"

/*
 * The fault of a function: States.IntrinsicFailure.  Returns false.
 */
bool
dx_call_fail(DxCallState *state, const char *fmt,...)
{
	va_list		args;
	char	   *detail;

	va_start(args, fmt);
	detail = dx_format(fmt, args);
	va_end(args);
	return dx_fault(state->fault, DX_ERROR_INTRINSIC,
					"The function '%s' had the following error: %s",
					state->text, detail);
}

/*
 * The fault of a function whose arguments do not suit it, in AWS's words.
 */
bool
dx_call_invalid(DxCallState *state, const DxCall *call)
{
	return dx_call_fail(state, "Invalid arguments in %s", call->function->name);
}
