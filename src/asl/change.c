/*-------------------------------------------------------------------------
 *
 * change.c
 *	  A document as what differs from another one.
 *
 * A document that goes through the states of a run is mostly the same from one
 * to the next: a member more, or another value of one.  Stored is the change
 * then, which "||" of the server's jsonb puts on top of the other.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/build.h"
#include "asl/change.h"
#include "asl/json.h"
#include "asl/value.h"
#include "miscadmin.h"
#include "utils/jsonb.h"

/* A change that saves less than half is none. */
#define SAVES(change, doc)	(VARSIZE(change) <= VARSIZE(doc) / 2)

/* Are they the same, byte for byte? */
bool
dx_json_same(const Jsonb *a, const Jsonb *b)
{
	return a == b ||
		(a != NULL && b != NULL && VARSIZE(a) == VARSIZE(b) &&
		 memcmp(a, b, VARSIZE(a)) == 0);
}

/* The members of doc that base does not have, or has otherwise; -1: base has others. */
static int
other_members(const JsonbValue *base, const JsonbValue *doc, DxMember **others)
{
	DxMember   *old;
	DxMember   *new;
	int			nold = dx_take_members(base, &old);
	int			nnew = dx_take_members(doc, &new);
	int			i = 0;
	int			n = 0;

	*others = new;
	/* Both are in the order in which jsonb keeps members. */
	for (int j = 0; j < nnew; j++)
	{
		int			order = i < nold ? dx_name_compare(&old[i].name, &new[j].name) : 1;

		CHECK_FOR_INTERRUPTS();
		if (order < 0)
			return -1;
		if (order == 0 && dx_value_same(&old[i++].value, &new[j].value))
			continue;
		new[n++] = new[j];
	}
	return i < nold ? -1 : n;
}

/*
 * What has to be put on top of base, by "||", to have doc: *change, NULL if they
 * are the same.  false: doc does not come from base by little.
 */
bool
dx_json_change(const Jsonb *base, const Jsonb *doc, Jsonb **change)
{
	JsonbValue	old;
	JsonbValue	new;
	DxMember   *others;
	int			n;

	*change = NULL;
	if (dx_json_same(base, doc))
		return true;
	dx_json_to_value(base, &old);
	dx_json_to_value(doc, &new);
	if (!dx_value_is_object(&old) || !dx_value_is_object(&new))
		return false;
	n = other_members(&old, &new, &others);
	if (n < 0)
		return false;
	*change = dx_build_object(others, n);
	return SAVES(*change, doc);
}
