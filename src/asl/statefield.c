/*-------------------------------------------------------------------------
 *
 * statefield.c
 *	  Which fields a state may have, by its type and query language.
 *
 * Amazon States Language, "States" and the table of fields by type there.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/compile.h"
#include "asl/node.h"
#include "asl/problem.h"
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"

#define TASK		DX_TYPE_BIT(DX_STATE_TASK)
#define PASS		DX_TYPE_BIT(DX_STATE_PASS)
#define CHOICE		DX_TYPE_BIT(DX_STATE_CHOICE)
#define WAIT		DX_TYPE_BIT(DX_STATE_WAIT)
#define SUCCEED		DX_TYPE_BIT(DX_STATE_SUCCEED)
#define FAIL		DX_TYPE_BIT(DX_STATE_FAIL)
#define PARALLEL	DX_TYPE_BIT(DX_STATE_PARALLEL)
#define MAP			DX_TYPE_BIT(DX_STATE_MAP)
#define ALL_TYPES	(TASK | PASS | CHOICE | WAIT | SUCCEED | FAIL | PARALLEL | MAP)

#define PATH		DX_QL_BIT(DX_QL_JSONPATH)
#define SQL			DX_QL_BIT(DX_QL_SQL)
#define BOTH		(PATH | SQL)

typedef struct StateField
{
	const char *name;
	int			types;			/* DX_TYPE_BITs */
	int			languages;		/* DX_QL_BITs */
	bool		addition;		/* not of the Amazon States Language */
	const char *other;			/* its counterpart in the other language */
} StateField;

static const StateField state_fields[] = {
	{"Type", ALL_TYPES, BOTH},
	{"Comment", ALL_TYPES, BOTH},
	{"QueryLanguage", ALL_TYPES, BOTH},
	{"Next", TASK | PASS | WAIT | PARALLEL | MAP, BOTH},
	{"End", TASK | PASS | WAIT | PARALLEL | MAP, BOTH},

	{"InputPath", ALL_TYPES & ~FAIL, PATH, false, "Arguments or Output"},
	{"OutputPath", ALL_TYPES & ~FAIL, PATH, false, "Output"},
	{"Parameters", TASK | PASS | PARALLEL | MAP, PATH, false, "Arguments"},
	{"ResultSelector", TASK | PARALLEL | MAP, PATH, false, "Output"},
	{"ResultPath", TASK | PASS | PARALLEL | MAP, PATH, false, "Output"},
	{"Arguments", TASK | PARALLEL, SQL, false, "Parameters"},
	{"Output", ALL_TYPES & ~FAIL, SQL, false, "ResultPath and OutputPath"},
	{"Assign", ALL_TYPES & ~(SUCCEED | FAIL), BOTH},
	{"Result", PASS, PATH, false, "Output"},

	{"Retry", TASK | PARALLEL | MAP, BOTH},
	{"Catch", TASK | PARALLEL | MAP, BOTH},

	{"Resource", TASK, BOTH},
	{"Credentials", TASK, BOTH},
	{"TimeoutSeconds", TASK, BOTH},
	{"TimeoutSecondsPath", TASK, PATH, false, "TimeoutSeconds"},
	{"HeartbeatSeconds", TASK, BOTH},
	{"HeartbeatSecondsPath", TASK, PATH, false, "HeartbeatSeconds"},
	{"Compensate", TASK, BOTH, true},
	{"Governance", TASK, BOTH, true},
	{"Delivery", TASK, BOTH, true},
	{"ScheduleToStartSeconds", TASK, BOTH, true},
	{"ScheduleToCloseSeconds", TASK, BOTH, true},
	{"ParentClosePolicy", TASK, BOTH, true},

	{"Choices", CHOICE, BOTH},
	{"Default", CHOICE, BOTH},

	{"Seconds", WAIT, BOTH},
	{"SecondsPath", WAIT, PATH, false, "Seconds"},
	{"Timestamp", WAIT, BOTH},
	{"TimestampPath", WAIT, PATH, false, "Timestamp"},

	{"Error", FAIL, BOTH},
	{"ErrorPath", FAIL, PATH, false, "Error"},
	{"Cause", FAIL, BOTH},
	{"CausePath", FAIL, PATH, false, "Cause"},

	{"Branches", PARALLEL, BOTH},

	{"ItemProcessor", MAP, BOTH},
	{"Iterator", MAP, BOTH},
	{"ItemsPath", MAP, PATH, false, "Items"},
	{"Items", MAP, SQL, false, "ItemsPath"},
	{"ItemSelector", MAP, BOTH},
	{"ItemReader", MAP, BOTH},
	{"ItemBatcher", MAP, BOTH},
	{"ResultWriter", MAP, BOTH},
	{"MaxConcurrency", MAP, BOTH},
	{"MaxConcurrencyPath", MAP, PATH, false, "MaxConcurrency"},
	{"ToleratedFailureCount", MAP, BOTH},
	{"ToleratedFailureCountPath", MAP, PATH, false, "ToleratedFailureCount"},
	{"ToleratedFailurePercentage", MAP, BOTH},
	{"ToleratedFailurePercentagePath", MAP, PATH, false, "ToleratedFailurePercentage"},
	{"Label", MAP, BOTH}
};

static const char *const type_names[] = {
	[DX_STATE_TASK] = "Task",
	[DX_STATE_PASS] = "Pass",
	[DX_STATE_CHOICE] = "Choice",
	[DX_STATE_WAIT] = "Wait",
	[DX_STATE_SUCCEED] = "Succeed",
	[DX_STATE_FAIL] = "Fail",
	[DX_STATE_PARALLEL] = "Parallel",
	[DX_STATE_MAP] = "Map"
};

/* The type of state that is named so; false when there is none. */
bool
dx_state_type_parse(const char *text, DxStateType *type)
{
	for (int i = 0; i < lengthof(type_names); i++)
	{
		if (strcmp(text, type_names[i]) == 0)
		{
			*type = (DxStateType) i;
			return true;
		}
	}
	return false;
}

/* "Task, Parallel and Map", or NULL for what belongs to every type. */
static const char *
list_types(int types)
{
	StringInfoData list;
	int			left = 0;

	for (int i = 0; i < lengthof(type_names); i++)
		left += (types & DX_TYPE_BIT(i)) != 0;
	initStringInfo(&list);
	for (int i = 0; i < lengthof(type_names); i++)
	{
		if ((types & DX_TYPE_BIT(i)) == 0)
			continue;
		left--;
		appendStringInfo(&list, "%s%s", type_names[i],
						 left > 1 ? ", " : left == 1 ? " and " : "");
	}
	return list.data;
}

/*
 * May the state have this field?  A state of unknown type may have any.
 */
static bool
belongs(DxCompiler *c, const DxStateSource *state, const StateField *field)
{
	if (field->addition && c->options->strict)
		return false;
	return !state->typed ||
		((field->types & DX_TYPE_BIT(state->type)) != 0 &&
		 (field->languages & DX_QL_BIT(state->language)) != 0);
}

/*
 * A field that no state has: suggests one that this state may have.
 */
static void
unknown_field(DxCompiler *c, const DxStateSource *state, const DxWalk *walk)
{
	const char *names[lengthof(state_fields)];
	int			n = 0;
	const char *closest;

	for (int i = 0; i < lengthof(state_fields); i++)
	{
		const StateField *field = &state_fields[i];

		if (belongs(c, state, field))
			names[n++] = field->name;
	}
	closest = dx_closest(c, walk->name, names, n);
	dx_problem(c->problems, walk->node.pointer, DX_P_UNKNOWN_FIELD,
			   closest ? psprintf("Did you mean \"%s\"?", closest) : NULL,
			   "a %s has no field \"%s\"",
			   state->typed ? psprintf("%s state", type_names[state->type]) : "state",
			   dx_clip(walk->name));
}

/* A field that some state has: may this one have it, in this language? */
static void
check_known_field(DxCompiler *c, const DxStateSource *state,
				  const DxNode *node, const StateField *field)
{
	if (field->addition && c->options->strict)
		dx_problem(c->problems, node->pointer, DX_P_NOT_PURE, NULL,
				   "\"%s\" is an addition to the Amazon States Language",
				   field->name);
	else if (!state->typed)
		return;
	else if ((field->types & DX_TYPE_BIT(state->type)) == 0)
		dx_problem(c->problems, node->pointer, DX_P_MISPLACED_FIELD,
				   psprintf("It belongs to states of type %s.",
							list_types(field->types)),
				   "a %s state has no field \"%s\"",
				   type_names[state->type], field->name);
	else if (!state->foreign &&
			 (field->languages & DX_QL_BIT(state->language)) == 0)
		dx_problem(c->problems, node->pointer, DX_P_QUERY_LANGUAGE,
				   field->other ? psprintf("Use %s.", field->other) : NULL,
				   "\"%s\" cannot be used in the query language %s",
				   field->name,
				   state->language == DX_QL_SQL ? "SQL" : "JSONPath");
	else if (strcmp(field->name, "Comment") == 0 &&
			 node->value.type != jbvString)
		dx_wrong_type(c, node, "a string");
}

/*
 * Reports every field that the state may not have.
 */
void
dx_check_state_fields(DxCompiler *c, const DxStateSource *state)
{
	DxWalk		walk;

	dx_walk_start(&walk, &state->node);
	while (dx_walk_next(&walk))
	{
		const StateField *found = NULL;

		for (int i = 0; i < lengthof(state_fields) && found == NULL; i++)
		{
			if (strcmp(walk.name, state_fields[i].name) == 0)
				found = &state_fields[i];
		}
		if (found == NULL)
			unknown_field(c, state, &walk);
		else
			check_known_field(c, state, &walk.node, found);
	}
}
