/*-------------------------------------------------------------------------
 *
 * staffing.h
 *	  Which owners of a dispatcher's database get workers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_WORKER_STAFFING_H
#define DX_WORKER_STAFFING_H

#include "base/clock.h"
#include "base/shared.h"

extern void dx_staff_init(DxDatabase *whose);
extern void dx_staff_start(DxMono *next);
extern bool dx_staff_expected(void);

#endif							/* DX_WORKER_STAFFING_H */
