/*-------------------------------------------------------------------------
 *
 * access.h
 *	  Who may see and who may touch a run.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_ACCESS_H
#define DX_ENGINE_ACCESS_H

extern bool dx_may_see(Oid owner);
extern bool dx_may_operate(Oid owner);

#endif							/* DX_ENGINE_ACCESS_H */
