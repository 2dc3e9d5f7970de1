/*-------------------------------------------------------------------------
 *
 * outbox.h
 *	  Reading the outbox: consumers, deliveries, acknowledgements.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_OUTSIDE_OUTBOX_H
#define DX_OUTSIDE_OUTBOX_H

extern uint64 dx_outbox_read(const char *consumer, int max);
extern int64 dx_outbox_ack(const char *consumer, Datum ids);
extern bool dx_outbox_drop(const char *consumer);

#endif							/* DX_OUTSIDE_OUTBOX_H */
