/*-------------------------------------------------------------------------
 *
 * build.c
 *	  Puts a Jsonb together from JsonbValues, and takes one apart.
 *
 * pushJsonbValue unpacks a jbvBinary node by node and converts it again.
 * Where a state changes one member of a large document that is most of the
 * work, so here containers are copied byte by byte.  That is sound because a
 * JsonbContainer holds no address but its own offsets, and has to begin at a
 * multiple of four (see the comment on JEntry in utils/jsonb.h).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/build.h"
#include "asl/json.h"
#include "base/bounds.h"
#include "miscadmin.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

/* A container while it is being filled. */
typedef struct Filler
{
	char	   *start;			/* of the container */
	JEntry	   *entries;
	char	   *data;			/* next free byte */
	int			nentries;
	Size		total;			/* bytes of data so far */
	int			max_entries;
	char	   *end;			/* of the room for data */
} Filler;

/* Does what is stored of the value begin at a multiple of four bytes? */
static bool
is_padded(const JsonbValue *value)
{
	return value->type == jbvNumeric || value->type == jbvBinary;
}

/* Bytes that are stored of a value besides its entry, without padding. */
static Size
value_size(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
		case jbvBool:
			return 0;
		case jbvString:
			return value->val.string.len;
		case jbvNumeric:
			return VARSIZE_ANY(value->val.numeric);
		case jbvBinary:
			return value->val.binary.len;
		default:
			elog(ERROR, "unexpected jsonb value type %d", (int) value->type);
	}
	return 0;
}

/* The type of a value as its entry has it. */
static uint32
value_flags(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			return JENTRY_ISNULL;
		case jbvBool:
			return value->val.boolean ? JENTRY_ISBOOL_TRUE : JENTRY_ISBOOL_FALSE;
		case jbvString:
			return JENTRY_ISSTRING;
		case jbvNumeric:
			return JENTRY_ISNUMERIC;
		default:
			return JENTRY_ISCONTAINER;
	}
}

/* The bytes that are stored of a value; NULL when its entry says all. */
static const void *
value_data(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvString:
			return value->val.string.val;
		case jbvNumeric:
			return value->val.numeric;
		case jbvBinary:
			return value->val.binary.data;
		default:
			return NULL;
	}
}

/*
 * Opens a container of nentries entries with room for data_size bytes.
 */
static Jsonb *
filler_open(Filler *f, uint32 header, int nentries, Size data_size)
{
	Size		head = offsetof(JsonbContainer, children) +
	sizeof(JEntry) * nentries;
	Jsonb	   *json;

	if (data_size > JENTRY_OFFLENMASK || head > JENTRY_OFFLENMASK)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("total size of jsonb elements exceeds the maximum of %d bytes",
						JENTRY_OFFLENMASK)));

	dx_build_count(head + data_size);
	json = palloc(VARHDRSZ + head + data_size);
	json->root.header = header;
	f->start = (char *) &json->root;
	f->entries = json->root.children;
	f->max_entries = nentries;
	f->data = f->start + head;
	f->end = f->data + data_size;
	f->nentries = 0;
	f->total = 0;
	return json;
}

/*
 * Adds an entry and its data to the container that is being filled. The room
 * was counted before; whoever has miscounted is told, in every build.
 */
static void
filler_add(Filler *f, uint32 flags, const void *data, Size size, bool padded)
{
	Size		pad = 0;
	JEntry		entry;

	CHECK_FOR_INTERRUPTS();
	if (padded)
		pad = INTALIGN(f->data - f->start) - (f->data - f->start);
	dx_check_room(f->nentries, f->max_entries, "entries of a container");
	if (unlikely(size > (Size) (f->end - f->data) ||
				 pad > (Size) (f->end - f->data) - size))
		dx_no_room(f->end - f->data, "bytes of a container");
	if (pad > 0)
	{
		memset(f->data, 0, pad);
		f->data += pad;
	}
	if (size > 0)
		memcpy(f->data, data, size);
	f->data += size;
	f->total += pad + size;

	/* Every so many entries one holds an offset instead of a length. */
	if (f->nentries % JB_OFFSET_STRIDE == 0)
		entry = flags | (uint32) f->total | JENTRY_HAS_OFF;
	else
		entry = flags | (uint32) (pad + size);
	f->entries[f->nentries++] = entry;
}

/* Says how long the whole has become. */
static Jsonb *
filler_close(Filler *f, Jsonb *json)
{
	SET_VARSIZE(json, VARHDRSZ + (f->data - f->start));
	return json;
}

/* Room for a value, padding included at its worst. */
static Size
value_room(const JsonbValue *value)
{
	return value_size(value) + (is_padded(value) ? sizeof(uint32) - 1 : 0);
}

/*
 * An array of the elements.
 *
 * An array beyond what jsonb can hold is an error
 * (ERRCODE_PROGRAM_LIMIT_EXCEEDED).
 */
Jsonb *
dx_build_array(const JsonbValue *elements, int nelements)
{
	Filler		f;
	Jsonb	   *json;
	Size		size = 0;

	Assert(nelements >= 0);
	for (int i = 0; i < nelements; i++)
		size += value_room(&elements[i]);
	json = filler_open(&f, nelements | JB_FARRAY, nelements, size);
	for (int i = 0; i < nelements; i++)
		filler_add(&f, value_flags(&elements[i]), value_data(&elements[i]),
				   value_size(&elements[i]), is_padded(&elements[i]));
	return filler_close(&f, json);
}

/*
 * The order of the keys of an object: by length and then by bytes.
 */
int
dx_name_compare(const DxName *a, const DxName *b)
{
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return memcmp(a->text, b->text, a->len);
}

/*
 * For qsort: members by name, as jsonb orders them, and equal names as they
 * were given.
 */
static int
compare_members(const void *a, const void *b)
{
	const DxMember *left = *(DxMember *const *) a;
	const DxMember *right = *(DxMember *const *) b;
	int			order = dx_name_compare(&left->name, &right->name);

	/* Equal names stay in the order given: they are all in one array. */
	if (order == 0)
		order = left < right ? -1 : 1;
	return order;
}

/*
 * The members in key order; of several with one name the last.
 */
static DxMember **
sort_members(DxMember *members, int *nmembers)
{
	DxMember  **sorted = palloc(sizeof(DxMember *) * (*nmembers + 1));
	bool		in_order = true;
	int			n = 0;

	for (int i = 0; i < *nmembers; i++)
	{
		sorted[i] = &members[i];
		if (i > 0 && dx_name_compare(&members[i - 1].name, &members[i].name) >= 0)
			in_order = false;
	}
	if (in_order)
		return sorted;

	qsort(sorted, *nmembers, sizeof(DxMember *), compare_members);
	for (int i = 0; i < *nmembers; i++)
	{
		if (n > 0 &&
			dx_name_compare(&sorted[n - 1]->name, &sorted[i]->name) == 0)
			n--;
		sorted[n++] = sorted[i];
	}
	*nmembers = n;
	return sorted;
}

/*
 * An object of the members, in any order; of several with one name the last
 * counts.
 *
 * An object beyond what jsonb can hold is an error
 * (ERRCODE_PROGRAM_LIMIT_EXCEEDED).
 */
Jsonb *
dx_build_object(DxMember *members, int nmembers)
{
	DxMember  **sorted = sort_members(members, &nmembers);
	Filler		f;
	Jsonb	   *json;
	Size		size = 0;

	Assert(nmembers >= 0);
	for (int i = 0; i < nmembers; i++)
		size += sorted[i]->name.len + value_room(&sorted[i]->value);
	json = filler_open(&f, nmembers | JB_FOBJECT, nmembers * 2, size);
	for (int i = 0; i < nmembers; i++)
		filler_add(&f, JENTRY_ISSTRING, sorted[i]->name.text,
				   sorted[i]->name.len, false);
	for (int i = 0; i < nmembers; i++)
	{
		const JsonbValue *value = &sorted[i]->value;

		filler_add(&f, value_flags(value), value_data(value),
				   value_size(value), is_padded(value));
	}
	return filler_close(&f, json);
}

/*
 * Looks at a Jsonb as a value.
 */
void
dx_build_value(Jsonb *json, JsonbValue *value)
{
	dx_json_to_value(json, value);
}

/*
 * The members of an object, in key order.
 */
int
dx_take_members(const JsonbValue *object, DxMember **members)
{
	JsonbContainer *container = object->val.binary.data;
	JsonbIterator *it = JsonbIteratorInit(container);
	JsonbIteratorToken token;
	JsonbValue	value;
	int			n = 0;

	Assert(dx_value_is_object(object));
	*members = palloc(sizeof(DxMember) * (JsonContainerSize(container) + 1));
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		CHECK_FOR_INTERRUPTS();
		if (token == WJB_KEY)
		{
			(*members)[n].name.text = value.val.string.val;
			(*members)[n].name.len = value.val.string.len;
		}
		else if (token == WJB_VALUE)
			(*members)[n++].value = value;
	}
	return n;
}

/*
 * The elements of an array.
 */
int
dx_take_elements(const JsonbValue *array, JsonbValue **elements)
{
	JsonbContainer *container = array->val.binary.data;
	JsonbIterator *it = JsonbIteratorInit(container);
	JsonbIteratorToken token;
	JsonbValue	value;
	int			n = 0;

	Assert(dx_value_is_array(array));
	*elements = palloc(sizeof(JsonbValue) * (JsonContainerSize(container) + 1));
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		CHECK_FOR_INTERRUPTS();
		if (token == WJB_ELEM)
			(*elements)[n++] = value;
	}
	return n;
}

/*
 * An object of n members; keys in any order, each once.
 */
Jsonb *
dx_json_object(int n, const char *const *keys, Jsonb *const *values)
{
	DxMember   *members = palloc(sizeof(DxMember) * (n + 1));
	Jsonb	   *json;

	Assert(n >= 0);
	for (int i = 0; i < n; i++)
	{
		members[i].name.text = keys[i];
		members[i].name.len = strlen(keys[i]);
		dx_json_to_value(values[i], &members[i].value);
	}
	json = dx_build_object(members, n);
	pfree(members);
	return json;
}

/*
 * An array of n values; those that are NULL are left out.
 */
Jsonb *
dx_json_array(int n, Jsonb *const *values)
{
	JsonbValue *elements = palloc(sizeof(JsonbValue) * (n + 1));
	Jsonb	   *json;
	int			used = 0;

	Assert(n >= 0);
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (values[i] != NULL)
			dx_json_to_value(values[i], &elements[used++]);
	}
	json = dx_build_array(elements, used);
	pfree(elements);
	return json;
}
