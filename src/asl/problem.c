/*-------------------------------------------------------------------------
 *
 * problem.c
 *	  The list of what is wrong with a definition: reporting, JSON pointers,
 *	  "did you mean", and the order in which problems are shown.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/compile.h"
#include "asl/problem.h"
#include "asl/value.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/varlena.h"

/* Longer texts are shown with their beginning only. */
#define MAX_SHOWN	(DX_MAX_NAME * MAX_MULTIBYTE_CHAR_LEN)

/*
 * A problem of which all texts are copied but message, which is made.
 */
static DxProblem *
make_problem(const char *pointer, const char *code, const char *hint,
			 char *message)
{
	DxProblem  *problem = palloc(sizeof(DxProblem));

	problem->message = message;
	problem->pointer = pstrdup(pointer);
	problem->code = pstrdup(code);
	problem->hint = hint ? pstrdup(hint) : NULL;
	return problem;
}

/*
 * Adds a problem to the list: the definition cannot be published.
 *
 * pointer is the RFC 6901 pointer of what is wrong, code one of the DX_P_
 * names, hint what would be right (or NULL).  The rest is the message.  All
 * texts are copied.
 */
void
dx_problem(DxProblems *problems, const char *pointer, const char *code,
		   const char *hint, const char *fmt,...)
{
	va_list		args;
	char	   *message;

	Assert(pointer != NULL && code != NULL);
	va_start(args, fmt);
	message = dx_format(fmt, args);
	va_end(args);
	problems->list = lappend(problems->list,
							 make_problem(pointer, code, hint, message));
}

/*
 * Adds a warning: the definition can be published, and its author should look
 * here.  The arguments are those of dx_problem.
 */
void
dx_warning(DxProblems *problems, const char *pointer, const char *code,
		   const char *hint, const char *fmt,...)
{
	va_list		args;
	char	   *message;

	va_start(args, fmt);
	message = dx_format(fmt, args);
	va_end(args);
	problems->warnings = lappend(problems->warnings,
								 make_problem(pointer, code, hint, message));
}

/*
 * The pointer of a member: RFC 6901 section 3 writes ~ as ~0 and / as ~1.
 */
const char *
dx_pointer_child(const char *pointer, const char *name)
{
	size_t		len = strlen(pointer);
	size_t		size = len + 2;
	char	   *child;
	char	   *out;

	/* As large as it has to be: a Program keeps many of them. */
	for (const char *p = name; *p; p++)
		size += *p == '~' || *p == '/' ? 2 : 1;
	child = palloc(size);
	memcpy(child, pointer, len);
	out = child + len;
	*out++ = '/';
	for (const char *p = name; *p; p++)
	{
		if (*p == '~' || *p == '/')
		{
			*out++ = '~';
			*out++ = *p == '~' ? '0' : '1';
		}
		else
			*out++ = *p;
	}
	*out = '\0';
	return child;
}

/* The JSON pointer of an element of what the pointer names. */
const char *
dx_pointer_item(const char *pointer, int index)
{
	Assert(index >= 0);
	return psprintf("%s/%d", pointer, index);
}

/*
 * A text from a definition, short enough to be part of a message.
 */
const char *
dx_clip(const char *text)
{
	int			len = strlen(text);

	if (len <= MAX_SHOWN)
		return text;
	len = pg_mbcliplen(text, len, MAX_SHOWN);
	return psprintf("%.*s...", len, text);
}

/*
 * Which candidate was probably meant by word; NULL when none is near.
 *
 * A definition full of nonsense must not cost the square of its size: after
 * some number of comparisons in all no more suggestions are made.
 */
const char *
dx_closest(DxCompiler *c, const char *word,
		   const char *const *candidates, int ncandidates)
{
	const char *closest = NULL;
	int			len = strlen(word);
	int			best;

	if (len > DX_MAX_NAME)
		return NULL;
	best = (pg_mbstrlen(word) + 1) / 3;

	for (int i = 0; i < ncandidates; i++)
	{
		int			candidate_len = strlen(candidates[i]);
		int			distance;

		CHECK_FOR_INTERRUPTS();
		if (c->suggestions-- <= 0)
			break;
		if (pg_strcasecmp(word, candidates[i]) == 0)
			return candidates[i];
		if (candidate_len > DX_MAX_NAME)
			continue;
		distance = varstr_levenshtein_less_equal(word, len,
												 candidates[i], candidate_len,
												 1, 1, 1, best, true);
		if (distance <= best && (closest == NULL || distance < best))
		{
			closest = candidates[i];
			best = distance;
		}
	}
	return closest;
}

/*
 * Compares two pointers token by token, as jsonb orders the members of an
 * object: by length, then by bytes.  For array indexes that is the order of
 * the numbers.  A container comes before what is in it.
 */
static int
compare_pointers(const char *a, const char *b)
{
	for (;;)
	{
		size_t		alen,
					blen;
		int			cmp;

		if (*a == '\0' || *b == '\0')
			return (*a != '\0') - (*b != '\0');
		alen = strcspn(++a, "/");
		blen = strcspn(++b, "/");
		if (alen != blen)
			return alen < blen ? -1 : 1;
		cmp = memcmp(a, b, alen);
		if (cmp != 0)
			return cmp;
		a += alen;
		b += blen;
	}
}

/* A problem and when it was found, for a sort that keeps that order. */
typedef struct FoundProblem
{
	const DxProblem *problem;
	int			number;
} FoundProblem;

/* For qsort: problems in the order of the document. */
static int
compare_found(const void *left, const void *right)
{
	const FoundProblem *a = left;
	const FoundProblem *b = right;
	int			cmp = compare_pointers(a->problem->pointer, b->problem->pointer);

	return cmp != 0 ? cmp : a->number - b->number;
}

/* Copies of problems, in document order, behind those of a list. */
static List *
append_sorted(List *list, const List *more)
{
	int			n = list_length(more);
	FoundProblem *found = palloc(sizeof(FoundProblem) * Max(n, 1));

	for (int i = 0; i < n; i++)
	{
		found[i].problem = list_nth(more, i);
		found[i].number = i;
	}
	qsort(found, n, sizeof(FoundProblem), compare_found);

	for (int i = 0; i < n; i++)
	{
		const DxProblem *problem = found[i].problem;

		list = lappend(list, make_problem(problem->pointer, problem->code,
										  problem->hint, pstrdup(problem->message)));
	}
	pfree(found);
	return list;
}

/*
 * Appends the problems and warnings of one collection to another, each in
 * document order, as copies in CurrentMemoryContext.
 */
void
dx_problems_move(DxProblems *from, DxProblems *to)
{
	to->list = append_sorted(to->list, from->list);
	to->warnings = append_sorted(to->warnings, from->warnings);
}
