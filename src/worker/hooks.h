/*-------------------------------------------------------------------------
 *
 * hooks.h
 *	  Statements that our processes would be in the way of.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_WORKER_HOOKS_H
#define DX_WORKER_HOOKS_H

extern void dx_hooks_init(void);

#endif							/* DX_WORKER_HOOKS_H */
