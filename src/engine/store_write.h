/*-------------------------------------------------------------------------
 *
 * store_write.h
 *	  What a pass writes back: runs, branches, results and events.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_STORE_WRITE_H
#define DX_ENGINE_STORE_WRITE_H

#include "engine/pass.h"

extern void dx_store_history(DxPass *pass);
extern void dx_store_write(DxPass *pass);

#endif							/* DX_ENGINE_STORE_WRITE_H */
