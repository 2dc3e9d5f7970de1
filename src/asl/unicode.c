/*-------------------------------------------------------------------------
 *
 * unicode.c
 *	  \u escapes, as JSON and JSON Paths have them (RFC 8259 section 7).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/unicode.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

/* Four hexadecimal digits. */
static bool
take_hex4(const char *text, int len, int *pos, pg_wchar *code)
{
	*code = 0;
	for (int i = 0; i < 4; i++, (*pos)++)
	{
		char		c = *pos < len ? text[*pos] : '\0';

		if (c >= '0' && c <= '9')
			*code = (*code << 4) | (c - '0');
		else if (c >= 'a' && c <= 'f')
			*code = (*code << 4) | (c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			*code = (*code << 4) | (c - 'A' + 10);
		else
			return false;
	}
	return true;
}

/*
 * Reads what follows \u at text[*pos]: one unit, or a pair of surrogates.
 * Appends the character and moves *pos behind it.  Returns NULL, or what is
 * wrong.
 */
const char *
dx_take_unicode(const char *text, int len, int *pos, StringInfo out)
{
	static const char no_digits[] = "expected four hexadecimal digits after \\u";
	static const char no_pair[] = "expected the second half of a surrogate pair";
	pg_wchar	code;
	pg_wchar	low;
	unsigned char utf8[MAX_MULTIBYTE_CHAR_LEN + 1] = {0};

	if (!take_hex4(text, len, pos, &code))
		return no_digits;
	if (is_utf16_surrogate_first(code))
	{
		if (len - *pos < 2 || text[*pos] != '\\' || text[*pos + 1] != 'u')
			return no_pair;
		*pos += 2;
		if (!take_hex4(text, len, pos, &low))
			return no_digits;
		if (!is_utf16_surrogate_second(low))
			return no_pair;
		code = surrogate_pair_to_codepoint(code, low);
	}

	/* In another encoding the character may not exist at all. */
	if (code == 0 || is_utf16_surrogate_second(code) ||
		(code >= 0x80 && GetDatabaseEncoding() != PG_UTF8))
		return "there is no such character";
	unicode_to_utf8(code, utf8);
	appendStringInfoString(out, (char *) utf8);
	return NULL;
}
