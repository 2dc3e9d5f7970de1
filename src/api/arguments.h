/*-------------------------------------------------------------------------
 *
 * arguments.h
 *	  What SQL functions do with their arguments.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ARGUMENTS_H
#define DX_ARGUMENTS_H

#include "fmgr.h"
#include "utils/timestamp.h"

extern void dx_connect_spi(void);

/* Errors: 22004 when the argument is null. */
extern void dx_require(FunctionCallInfo fcinfo, int arg, const char *name);

/* NULL when the argument is null. */
extern char *dx_text_arg(FunctionCallInfo fcinfo, int arg);

/* The same, of 1 to DX_MAX_LABEL bytes.  Errors: 22023. */
extern char *dx_name_arg(FunctionCallInfo fcinfo, int arg, const char *name);

/* How many there may be at a time; 0 for null, no limit. */
extern int	dx_limit_arg(FunctionCallInfo fcinfo, int arg, const char *name);

extern double dx_interval_seconds(const Interval *interval);

#endif							/* DX_ARGUMENTS_H */
