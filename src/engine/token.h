/*-------------------------------------------------------------------------
 *
 * token.h
 *	  Task tokens: what was asked (a ticket) and at which attempt (the
 *	  attempt).
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_TOKEN_H
#define DX_ENGINE_TOKEN_H

#include "utils/uuid.h"

extern char *dx_token_text(const pg_uuid_t *ticket, int32 attempt);
extern bool dx_token_parse(const char *token, pg_uuid_t *ticket, int32 *attempt);

#endif							/* DX_ENGINE_TOKEN_H */
