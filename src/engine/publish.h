/*-------------------------------------------------------------------------
 *
 * publish.h
 *	  From a definition to a stored version; what a definition is checked
 *	  against in this database.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_PUBLISH_H
#define DX_ENGINE_PUBLISH_H

#include "asl/asl.h"
#include "asl/problem.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

extern int	dx_publish(const char *name, Jsonb *definition, DxProblems *problems);

/*
 * What the checks of a definition need and find out: arg of the options.  NULL
 * there: bindings are not gathered, and any variable may be one.
 */
typedef struct DxPublishing
{
	MemoryContext cxt;			/* of what is gathered */
	Jsonb	   *bindings;		/* used ones: targets by URI; NULL: none */
	List	   *variables;		/* of char *: what some Assign sets */
	List	   *pins;			/* of DxPin *: what the names mean now */
} DxPublishing;

extern void dx_limit_workflow(const char *name, int max_concurrency, bool per_owner);
extern void dx_publish_options(DxCompileOptions *options,
							   DxPublishing *publishing,
							   const Jsonb *definition);

#endif							/* DX_ENGINE_PUBLISH_H */
