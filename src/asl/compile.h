/*-------------------------------------------------------------------------
 *
 * compile.h
 *	  What the files that compile a definition share.  Nothing outside of
 *	  this room includes it.
 *
 * Compiling goes in three steps.  machine.c collects the machines and their
 * states, so that every name has an index.  state.c and its helpers read the
 * states one by one.  graph.c looks at the transitions that were found.
 * Every step reports all it finds and goes on, so that the author of a
 * definition gets to see every problem at once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ASL_COMPILE_H
#define DX_ASL_COMPILE_H

#include "asl/asl.h"
#include "asl/problem.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

#define DX_MAX_NAME			80	/* characters of a state's name */
#define DX_MAX_SECONDS		99999999
#define DX_DEFAULT_MAX_DEPTH	256

/* A value inside the definition, and where it stands. */
typedef struct DxNode
{
	const char *pointer;
	JsonbValue	value;			/* a scalar, or jbvBinary */
} DxNode;

/* Walks over the members of an object or the elements of an array. */
typedef struct DxWalk
{
	JsonbIterator *it;
	const char *pointer;
	bool		object;
	int			index;
	const char *name;			/* of the member, when an object */
	DxNode		node;
} DxWalk;

typedef enum DxMachineKind
{
	DX_MACHINE_TOP,
	DX_MACHINE_BRANCH,
	DX_MACHINE_PROCESSOR,
	DX_MACHINE_ITERATOR
} DxMachineKind;

/* A machine while it is being compiled; the index is that of DxMachine. */
typedef struct DxMachineSource
{
	DxMachineKind kind;
	DxNode		node;
	int			owner;			/* state index, -1 = top */
	int			first_state;
	int			nstates;
	bool		express;		/* runs by the rules of the type EXPRESS */
} DxMachineSource;

/* A state while it is being compiled; the index is that of DxState. */
typedef struct DxStateSource
{
	const char *name;
	DxNode		node;
	int			machine;
	int			first_machine;	/* of a Parallel or a Map */
	int			nmachines;
	bool		typed;			/* is it an object with a valid Type */
	DxStateType type;
	DxQueryLanguage language;
	bool		foreign;		/* a query language that was refused */
	bool		terminal;
	bool		reached;		/* graph.c */
	List	   *targets;		/* state indexes that it goes to */
} DxStateSource;

typedef struct DxCompiler
{
	const DxCompileOptions *options;
	DxProblems *problems;
	DxProgram  *program;
	DxQueryLanguage language;	/* of the document */
	bool		foreign;		/* the same, for the document */
	bool		uses_sql;		/* anywhere */
	int			next_ordinal;
	int			suggestions;	/* comparisons that are left, see problem.c */
	int			nmachines;
	int			max_machines;
	DxMachineSource *machines;
	int			nstates;
	int			max_states;
	DxStateSource *states;
} DxCompiler;

#define DX_TYPE_BIT(type)	(1 << (type))
#define DX_QL_BIT(language)	(1 << (language))

/* ---------- problem.c ---------- */

extern const char *dx_clip(const char *text);
extern const char *dx_closest(DxCompiler *c, const char *word,
							  const char *const *candidates, int ncandidates);
extern void dx_problems_move(DxProblems *from, DxProblems *to);

/* ---------- machine.c ---------- */

extern void dx_collect(DxCompiler *c, const DxNode *definition);
extern void dx_compile_machines(DxCompiler *c);
extern DxQueryLanguage dx_read_language(DxCompiler *c, const DxNode *object,
										bool *foreign);

/* ---------- state.c, statefield.c ---------- */

extern void dx_compile_state(DxCompiler *c, int index);
extern void dx_check_state_fields(DxCompiler *c, const DxStateSource *state);
extern bool dx_state_type_parse(const char *text, DxStateType *type);

/* ---------- task.c, fanout.c ---------- */

extern void dx_compile_governance(DxCompiler *c, const DxStateSource *source,
								  DxTask *task);
extern void dx_check_governance(DxCompiler *c, const DxNode *machine);
extern void dx_compile_task(DxCompiler *c, DxStateSource *source,
							DxState *state);
extern void dx_compile_parallel(DxCompiler *c, DxStateSource *source,
								DxState *state);
extern void dx_compile_map(DxCompiler *c, DxStateSource *source,
						   DxState *state);
extern bool dx_processor_is_express(const DxNode *machine);

/* ---------- graph.c ---------- */

extern void dx_check_graph(DxCompiler *c);

#endif							/* DX_ASL_COMPILE_H */
