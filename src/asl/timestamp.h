/*-------------------------------------------------------------------------
 *
 * timestamp.h
 *	  Timestamps of the language: the RFC 3339 profile of ISO 8601, with an
 *	  uppercase T and an uppercase Z or a numeric offset.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ASL_TIMESTAMP_H
#define DX_ASL_TIMESTAMP_H

#include "utils/timestamp.h"

extern bool dx_timestamp_parse(const char *text, int len, TimestampTz *value);

#endif							/* DX_ASL_TIMESTAMP_H */
