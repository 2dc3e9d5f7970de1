/*-------------------------------------------------------------------------
 *
 * deferred.h
 *	  Whether a transaction has deferred constraint triggers queued.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_BASE_DEFERRED_H
#define DX_BASE_DEFERRED_H

/* Are there deferred constraint triggers waiting in this transaction? */
extern bool dx_deferred_pending(void);

#endif							/* DX_BASE_DEFERRED_H */
