/*-------------------------------------------------------------------------
 *
 * path_lex.c
 *	  What the parsers of paths and filters read character by character.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/build.h"
#include "asl/path_parse.h"
#include "asl/unicode.h"
#include "asl/value.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

/*
 * Keeps the first thing that is wrong.  Returns false, so that a caller can
 * return it.
 */
bool
dx_parse_fail(DxPathParser *p, const char *fmt,...)
{
	va_list		args;

	if (p->error != NULL)
		return false;
	va_start(args, fmt);
	p->error = psprintf("%s at position %d", dx_format(fmt, args),
						pg_mbstrlen_with_len(p->text, Min(p->pos, p->len)) + 1);
	va_end(args);
	return false;
}

/*
 * The character that comes next, or -1 at the end.
 */
int
dx_parse_peek(const DxPathParser *p)
{
	return p->pos < p->len ? (unsigned char) p->text[p->pos] : -1;
}

/*
 * Is it a blank as in JSON?
 */
bool
dx_parse_is_blank(int c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/*
 * Passes over blanks.
 */
void
dx_parse_blanks(DxPathParser *p)
{
	while (dx_parse_is_blank(dx_parse_peek(p)))
		p->pos++;
}

/*
 * Takes a character if it comes next.
 */
bool
dx_parse_accept(DxPathParser *p, char c)
{
	if (dx_parse_peek(p) != (unsigned char) c)
		return false;
	p->pos++;
	return true;
}

/*
 * Takes a character that has to come next, after blanks.
 */
bool
dx_parse_expect(DxPathParser *p, char c)
{
	dx_parse_blanks(p);
	return dx_parse_accept(p, c) || dx_parse_fail(p, "expected \"%c\"", c);
}

/*
 * What follows \u: one unit, or a pair of surrogates.
 */
bool
dx_parse_unicode(DxPathParser *p, StringInfo out)
{
	const char *problem = dx_take_unicode(p->text, p->len, &p->pos, out);

	return problem == NULL || dx_parse_fail(p, "%s", problem);
}

/*
 * What follows a backslash inside quotes.
 */
static bool
take_quoted_escape(DxPathParser *p, StringInfo out)
{
	static const char *const letters = "bfnrt";
	static const char *const meaning = "\b\f\n\r\t";
	int			c = dx_parse_peek(p);
	const char *found;

	if (c <= 0)
		return dx_parse_fail(p, "a quoted text is not closed");
	p->pos++;
	if (c == 'u')
		return dx_parse_unicode(p, out);
	found = strchr(letters, c);
	appendStringInfoChar(out, found ? meaning[found - letters] : (char) c);
	return true;
}

/*
 * A text in single or double quotes.
 */
bool
dx_parse_quoted(DxPathParser *p, DxName *name)
{
	int			quote = dx_parse_peek(p);
	StringInfoData out;

	p->pos++;
	initStringInfo(&out);
	for (;;)
	{
		int			c = dx_parse_peek(p);

		if (c < 0)
			return dx_parse_fail(p, "a quoted text is not closed");
		p->pos++;
		if (c == quote)
			break;
		if (c != '\\')
			appendStringInfoChar(&out, (char) c);
		else if (!take_quoted_escape(p, &out))
			return false;
	}
	name->text = pnstrdup(out.data, out.len);
	name->len = out.len;
	pfree(out.data);
	return true;
}
