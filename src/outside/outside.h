/*-------------------------------------------------------------------------
 *
 * outside.h
 *	  What crosses the border of a run: messages, activities and task tokens.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_OUTSIDE_H
#define DX_OUTSIDE_H

/* From _PG_init: registers what this room does for the engine. */
extern void dx_outside_init(void);

#endif							/* DX_OUTSIDE_H */
