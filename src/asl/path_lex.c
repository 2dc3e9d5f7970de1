/*-------------------------------------------------------------------------
 *
 * path_lex.c
 *	  What the parsers of paths and filters read character by character.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

#include "asl/eval.h"

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
 * Four hexadecimal digits.
 */
static bool
take_hex4(DxPathParser *p, pg_wchar *code)
{
	*code = 0;
	for (int i = 0; i < 4; i++)
	{
		int			c = dx_parse_peek(p);

		if (c >= '0' && c <= '9')
			c -= '0';
		else if (c >= 'a' && c <= 'f')
			c -= 'a' - 10;
		else if (c >= 'A' && c <= 'F')
			c -= 'A' - 10;
		else
			return dx_parse_fail(p, "expected four hexadecimal digits after \\u");
		*code = (*code << 4) | c;
		p->pos++;
	}
	return true;
}

/*
 * What follows \u: one unit, or a pair of surrogates.
 */
bool
dx_parse_unicode(DxPathParser *p, StringInfo out)
{
	pg_wchar	code;
	pg_wchar	low;
	unsigned char utf8[MAX_MULTIBYTE_CHAR_LEN + 1] = {0};

	if (!take_hex4(p, &code))
		return false;
	if (is_utf16_surrogate_first(code))
	{
		if (!dx_parse_accept(p, '\\') || !dx_parse_accept(p, 'u'))
			return dx_parse_fail(p, "expected the second half of a surrogate pair");
		if (!take_hex4(p, &low))
			return false;
		if (!is_utf16_surrogate_second(low))
			return dx_parse_fail(p, "expected the second half of a surrogate pair");
		code = surrogate_pair_to_codepoint(code, low);
	}
	if (code == 0 || is_utf16_surrogate_second(code) ||
		(code >= 0x80 && GetDatabaseEncoding() != PG_UTF8))
		return dx_parse_fail(p, "there is no such character");
	unicode_to_utf8(code, utf8);
	appendStringInfoString(out, (char *) utf8);
	return true;
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
	name->text = out.data;
	name->len = out.len;
	return true;
}
