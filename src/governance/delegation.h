/*-------------------------------------------------------------------------
 *
 * delegation.h
 *	  Who decides for somebody else, for a time.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_GOVERNANCE_DELEGATION_H
#define DX_GOVERNANCE_DELEGATION_H

#include "datatype/timestamp.h"

extern int	dx_delegate(Oid to, TimestampTz until, const char *reason);
extern bool dx_revoke_delegation(int id);

#endif							/* DX_GOVERNANCE_DELEGATION_H */
