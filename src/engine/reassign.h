/*-------------------------------------------------------------------------
 *
 * reassign.h
 *	  Hands what a role has over to another: live runs with all that belongs
 *	  to them, workflows, schedules, bindings, consumers and trust.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_REASSIGN_H
#define DX_ENGINE_REASSIGN_H

extern int64 dx_reassign(Oid from, Oid to);

#endif							/* DX_ENGINE_REASSIGN_H */
