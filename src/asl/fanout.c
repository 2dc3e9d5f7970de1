/*-------------------------------------------------------------------------
 *
 * fanout.c
 *	  Compiles Parallel and Map.  The machines inside of them have been
 *	  collected by machine.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>
#include <math.h>

#include "asl/asl.h"
#include "asl/compile.h"
#include "asl/field.h"
#include "asl/node.h"
#include "asl/problem.h"
#include "asl/query.h"
#include "mb/pg_wchar.h"

#define MAX_LABEL			40	/* characters */
#define MAX_BATCH_BYTES		262144

/*
 * Does ProcessorConfig ask for child executions of the type EXPRESS?
 */
bool
dx_processor_is_express(const DxNode *machine)
{
	DxNode		config;
	DxNode		type;

	return dx_member(machine, "ProcessorConfig", &config) &&
		dx_member(&config, "ExecutionType", &type) &&
		type.value.type == jbvString &&
		strcmp(dx_node_text(&type), "EXPRESS") == 0;
}

/*
 * Parallel: one machine for each element of Branches.
 */
void
dx_compile_parallel(DxCompiler *c, DxStateSource *source, DxState *state)
{
	DxParallel *parallel = &state->u.parallel;
	DxNode		branches;

	if (!dx_read_array(c, &source->node, "Branches", true, &branches))
		return;
	if (dx_count(&branches) == 0)
		dx_problem(c->problems, branches.pointer, DX_P_WRONG_VALUE, NULL,
				   "there has to be at least one branch");
	parallel->nbranches = source->nmachines;
	parallel->machines = palloc(sizeof(int) * source->nmachines);
	for (int i = 0; i < source->nmachines; i++)
		parallel->machines[i] = source->first_machine + i;
}

/*
 * ProcessorConfig: returns whether items run as child runs.
 */
static bool
compile_processor_config(DxCompiler *c, const DxNode *processor)
{
	static const char *const members[] = {"Mode", "ExecutionType", "Comment"};
	static const char *const modes[] = {"INLINE", "DISTRIBUTED"};
	static const char *const types[] = {"STANDARD", "EXPRESS"};
	DxNode		config;
	bool		distributed;

	if (!dx_is_object(processor) ||
		!dx_read_object(c, processor, "ProcessorConfig", false, &config))
		return false;
	dx_check_members(c, &config, "a processor configuration",
					 members, lengthof(members));
	(void) dx_read_choice(c, &config, "ExecutionType", types, lengthof(types));
	if (!dx_read_choice(c, &config, "Mode", modes, lengthof(modes)))
		return false;
	distributed = strcmp(dx_read_text(c, &config, "Mode", false),
						 "DISTRIBUTED") == 0;
	if (distributed && !dx_has(&config, "ExecutionType"))
		dx_problem(c->problems, config.pointer, DX_P_MISSING_FIELD,
				   "Set it to \"STANDARD\" or \"EXPRESS\".",
				   "field \"ExecutionType\" is missing, as the mode is DISTRIBUTED");
	return distributed;
}

/* The state machine that a Map has for each item, and how it is run. */
static void
compile_processor(DxCompiler *c, DxStateSource *source, DxMap *map)
{
	const DxNode *node = &source->node;
	const DxMachineSource *inner;

	map->machine = -1;
	dx_check_conflict(c, node, "ItemProcessor", "Iterator");
	if (source->nmachines == 0)
	{
		dx_problem(c->problems, node->pointer, DX_P_MISSING_FIELD, NULL,
				   "field \"ItemProcessor\" is missing");
		return;
	}
	map->machine = source->first_machine;
	inner = &c->machines[map->machine];
	map->distributed = compile_processor_config(c, &inner->node);
	if (map->distributed && c->machines[source->machine].express)
		dx_problem(c->problems, dx_pointer_child(inner->node.pointer,
												 "ProcessorConfig"),
				   DX_P_NOT_SUPPORTED, "Use the mode INLINE.",
				   "a state machine of the type EXPRESS has no distributed Map");
}

/*
 * Items in the expression mode: an array, or an expression that yields one.
 */
static void
compile_items(DxCompiler *c, DxStateSource *source, DxMap *map)
{
	DxNode		items;

	if (source->foreign)
		return;
	if (source->language == DX_QL_JSONPATH)
	{
		map->items_path = dx_read_path(c, &source->node, "ItemsPath",
									   DX_PATH_REFERENCE);
		return;
	}
	if (!dx_member(&source->node, "Items", &items))
		return;
	if (!dx_is_array(&items) &&
		!(items.value.type == jbvString &&
		  strncmp(dx_node_text(&items), "{%", 2) == 0))
		dx_problem(c->problems, items.pointer, DX_P_WRONG_TYPE, NULL,
				   "must be an array or \"{%% expression %%}\", but is %s",
				   dx_type_name(&items));
	else
		map->items = dx_read_template(c, source, &source->node, "Items");
}

/*
 * What each item becomes before it is processed; Parameters is the old name
 * for it.
 */
static void
compile_selector(DxCompiler *c, DxStateSource *source, DxMap *map)
{
	const DxNode *node = &source->node;

	dx_check_conflict(c, node, "ItemSelector", "Parameters");
	map->item_selector = dx_read_template(c, source, node, "ItemSelector");
	if (source->language == DX_QL_JSONPATH && dx_has(node, "Parameters"))
	{
		DxTemplate *legacy = dx_read_template(c, source, node, "Parameters");

		if (map->item_selector == NULL)
			map->item_selector = legacy;
	}
}

/* How many items, or bytes of them, are one batch. */
static void
compile_batcher(DxCompiler *c, DxStateSource *source, DxMap *map)
{
	static const char *const members[] = {
		"MaxItemsPerBatch", "MaxItemsPerBatchPath", "MaxInputBytesPerBatch",
		"MaxInputBytesPerBatchPath", "BatchInput", "Comment"
	};
	DxNode		batcher;

	if (!dx_read_object(c, &source->node, "ItemBatcher", false, &batcher))
		return;
	dx_check_members(c, &batcher, "an item batcher", members, lengthof(members));
	dx_read_amount(c, source, &batcher, "MaxItemsPerBatch", true,
				   1, DX_MAX_SECONDS, &map->batch_items);
	dx_read_amount(c, source, &batcher, "MaxInputBytesPerBatch", true,
				   1, MAX_BATCH_BYTES, &map->batch_bytes);
	if (!dx_has(&batcher, "MaxItemsPerBatch") &&
		!dx_has(&batcher, "MaxItemsPerBatchPath") &&
		!dx_has(&batcher, "MaxInputBytesPerBatch") &&
		!dx_has(&batcher, "MaxInputBytesPerBatchPath"))
		dx_problem(c->problems, batcher.pointer, DX_P_MISSING_FIELD, NULL,
				   "field \"MaxItemsPerBatch\" or \"MaxInputBytesPerBatch\" is missing");
	map->batch_input = dx_read_template(c, source, &batcher, "BatchInput");
	if (!map->distributed && !c->options->strict)
		dx_problem(c->problems, batcher.pointer, DX_P_NO_EFFECT,
				   "Set \"Mode\" in \"ProcessorConfig\" to \"DISTRIBUTED\".",
				   "only a distributed Map makes batches");
	map->batched = true;
}

/*
 * ItemReader and ResultWriter work on AWS's object store.  They are right in a
 * pure document, but nothing here can run them.
 */
static void
check_store(DxCompiler *c, DxStateSource *source, const char *name)
{
	static const char *const types[] = {
		"CSV", "JSON", "JSONL", "MANIFEST", "PARQUET"
	};
	DxNode		store;
	DxNode		config;
	DxAmount	items;

	if (!dx_read_object(c, &source->node, name, false, &store))
		return;
	if (!c->options->strict)
	{
		dx_problem(c->problems, store.pointer, DX_P_NOT_SUPPORTED,
				   "Let a Task before the Map read the items, and one behind it write the results.",
				   "\"%s\" is not supported", name);
		return;
	}
	if (strcmp(name, "ItemReader") != 0)
		return;
	(void) dx_read_text(c, &store, "Resource", true);
	(void) dx_read_template(c, source, &store, "Parameters");
	if (!dx_read_object(c, &store, "ReaderConfig", false, &config))
		return;
	(void) dx_read_choice(c, &config, "InputType", types, lengthof(types));
	dx_read_amount(c, source, &config, "MaxItems", true,
				   1, DX_MAX_SECONDS, &items);
}

/* What AWS does not take in the name of a Map Run. */
static bool
is_label_character(pg_wchar ch)
{
	if (ch < 0x20 || (ch >= 0x7f && ch <= 0x9f))
		return false;
	if (ch < 0x80)
		return !isspace((int) ch) &&
			strchr("?*<>{}[]\"#%\\^|~`$&,;:/", (int) ch) == NULL;
	/* blanks of other scripts, and what is no character */
	return !(ch == 0xa0 || ch == 0x1680 || (ch >= 0x2000 && ch <= 0x200a) ||
			 ch == 0x2028 || ch == 0x2029 || ch == 0x202f || ch == 0x205f ||
			 ch == 0x3000 || ch == 0xfffe || ch == 0xffff);
}

/*
 * Label of a distributed Map: it becomes part of names, so it is short and
 * plain.
 */
static void
compile_label(DxCompiler *c, DxStateSource *source, DxMap *map)
{
	const char *pointer = dx_pointer_child(source->node.pointer, "Label");
	pg_wchar   *wide;
	int			len;

	map->label = dx_read_text(c, &source->node, "Label", false);
	if (map->label == NULL)
		return;
	wide = palloc(sizeof(pg_wchar) * (strlen(map->label) + 1));
	len = pg_mb2wchar(map->label, wide);
	if (len == 0 || len > MAX_LABEL)
		dx_problem(c->problems, pointer, DX_P_BAD_NAME, NULL,
				   "a label has from 1 to %d characters", MAX_LABEL);
	for (int i = 0; i < len; i++)
	{
		if (is_label_character(wide[i]))
			continue;
		dx_problem(c->problems, pointer, DX_P_BAD_NAME,
				   "Use letters, digits, \"-\", \"_\" and \".\".",
				   "character %d of the label is not allowed", i + 1);
		break;
	}
	pfree(wide);
}

/*
 * Compiles what a Map has of its own.
 */
void
dx_compile_map(DxCompiler *c, DxStateSource *source, DxState *state)
{
	const DxNode *node = &source->node;
	DxMap	   *map = &state->u.map;

	compile_processor(c, source, map);
	compile_items(c, source, map);
	compile_selector(c, source, map);
	dx_read_amount(c, source, node, "MaxConcurrency", true,
				   0, DX_MAX_SECONDS, &map->max_concurrency);
	dx_read_amount(c, source, node, "ToleratedFailureCount", true,
				   0, DX_MAX_SECONDS, &map->tolerated_count);
	dx_read_amount(c, source, node, "ToleratedFailurePercentage", false,
				   0, 100, &map->tolerated_percentage);
	compile_label(c, source, map);
	compile_batcher(c, source, map);
	check_store(c, source, "ItemReader");
	check_store(c, source, "ResultWriter");
}
