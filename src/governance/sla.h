/*-------------------------------------------------------------------------
 *
 * sla.h
 *	  What happens while nobody decides: warnings, more people to ask, the end.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_GOVERNANCE_SLA_H
#define DX_GOVERNANCE_SLA_H

#include "engine/pass.h"
#include "governance/intent.h"
#include "utils/timestamp.h"

extern TimestampTz dx_sla_first(const DxIntent *intent);
extern void dx_sla_opened(DxPass *pass, const DxIntent *intent);
extern TimestampTz dx_sla_advance(DxPass *pass, DxIntent *intent);

#endif							/* DX_GOVERNANCE_SLA_H */
