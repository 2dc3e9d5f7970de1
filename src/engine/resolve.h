/*-------------------------------------------------------------------------
 *
 * resolve.h
 *	  Which function a sql: resource means, given the members of its input.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_RESOLVE_H
#define DX_ENGINE_RESOLVE_H

#include "asl/fault.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

typedef struct DxCallee
{
	Oid			function;
	bool		whole;			/* one jsonb argument takes the whole input */
	bool		ignores_input;	/* it has no arguments, and no namesake */
	bool		returns_set;
	bool		returns_void;
	int			variadic_arg;	/* which of them is VARIADIC, or -1 */
	int			nargs;			/* arguments given */
	char	  **names;			/* of the input's members, in jsonb order */
	Oid		   *types;
	bool		namesakes;		/* there are others of its name */
	int			ndefaults;		/* named arguments that are not given */
	char	  **default_names;	/* of them */
	Oid		   *default_types;
	int		   *default_numbers;	/* from 1 */
	char	   *schema;
	char	   *name;
	char	   *signature;		/* types of all its arguments */
} DxCallee;

extern bool dx_split_target(const char *target, char **schema, char **name);
extern List *dx_function_oids(const char *schema, const char *name);
extern List *dx_function_signatures(const char *schema, const char *name,
									List **owners);
extern bool dx_resolve(const char *target, const Jsonb *input,
					   const List *pins, DxCallee *callee, DxFault *fault);

#endif							/* DX_ENGINE_RESOLVE_H */
