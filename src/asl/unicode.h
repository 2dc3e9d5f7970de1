/*-------------------------------------------------------------------------
 *
 * unicode.h
 *	  \u escapes, as JSON and JSON Paths have them (RFC 8259 section 7).
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ASL_UNICODE_H
#define DX_ASL_UNICODE_H

#include "lib/stringinfo.h"

extern const char *dx_take_unicode(const char *text, int len, int *pos, StringInfo out);

#endif							/* DX_ASL_UNICODE_H */
