/*-------------------------------------------------------------------------
 *
 * batch.c
 *	  ItemBatcher: the items of a distributed Map, many to an iteration.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/build.h"
#include "asl/eval.h"
#include "asl/fault.h"
#include "asl/json.h"
#include "miscadmin.h"
#include "utils/jsonb.h"

/* The batches while they are being made. */
typedef struct Batcher
{
	double		max_items;
	double		max_bytes;
	Jsonb	   *batch_input;	/* or NULL */
	Jsonb	  **items;			/* of the batch that is open */
	int			nitems;
	double		bytes;
	Jsonb	  **batches;
	int			nbatches;
} Batcher;

/* How many items and bytes a batch may have in this run. */
static bool
read_limits(Batcher *b, const DxMap *map, DxEnv *env, DxFault *fault)
{
	bool		given;

	if (!dx_amount_eval(&map->batch_items, env, &given, &b->max_items, fault))
		return false;
	if (!given)
		b->max_items = PG_INT32_MAX;
	if (!dx_amount_eval(&map->batch_bytes, env, &given, &b->max_bytes, fault))
		return false;
	if (!given)
		b->max_bytes = PG_INT32_MAX;
	return true;
}

/* The items that are collected become a batch. */
static void
close_batch(Batcher *b)
{
	static const char *const keys[] = {"Items", "BatchInput"};
	Jsonb	   *values[2];

	if (b->nitems == 0)
		return;
	values[0] = dx_json_array(b->nitems, b->items);
	values[1] = b->batch_input;
	b->batches[b->nbatches++] = dx_json_object(b->batch_input ? 2 : 1, keys, values);
	b->nitems = 0;
	b->bytes = 0;
}

/* An item that is larger than a batch may be is a batch by itself. */
static void
add_item(Batcher *b, Jsonb *item)
{
	double		bytes = 0;

	if (b->max_bytes < PG_INT32_MAX)
		bytes = strlen(dx_json_compact(item)) + 1;
	if (b->nitems >= b->max_items || b->bytes + bytes > b->max_bytes)
		close_batch(b);
	b->items[b->nitems++] = item;
	b->bytes += bytes;
}

/*
 * The input of each batch, as an array: {"Items", "BatchInput"}, the items as
 * ItemSelector makes them.  env->input: the raw input of the Map.
 *
 * Faults: those of dx_io_item_input and of the amounts.
 * Source: AWS Step Functions Developer Guide, "ItemBatcher".
 */
bool
dx_io_batches(const DxState *state, DxEnv *env, Jsonb *items, Jsonb **batches,
			  DxFault *fault)
{
	const DxMap *map = &state->u.map;
	JsonbValue	array;
	JsonbValue *elements;
	int			n;
	Batcher		b = {0};
	Jsonb	   *effective;

	Assert(state->type == DX_STATE_MAP && state->u.map.batched);
	dx_json_to_value(items, &array);
	n = dx_take_elements(&array, &elements);
	b.items = palloc(sizeof(Jsonb *) * (n + 1));
	b.batches = palloc(sizeof(Jsonb *) * (n + 1));
	if (!read_limits(&b, map, env, fault))
		return false;
	if (map->batch_input != NULL &&
		(!dx_io_input(state, env, &effective, fault) ||
		 !dx_eval_with(map->batch_input, env, effective, &b.batch_input, fault)))
		return false;

	for (int i = 0; i < n; i++)
	{
		Jsonb	   *item;

		CHECK_FOR_INTERRUPTS();
		if (!dx_io_item_input(state, env, i, dx_json_from_value(&elements[i]),
							  &item, fault))
			return false;
		add_item(&b, item);
	}
	close_batch(&b);
	*batches = dx_json_array(b.nbatches, b.batches);
	return true;
}
