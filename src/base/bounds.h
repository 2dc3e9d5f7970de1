/*-------------------------------------------------------------------------
 *
 * bounds.h
 *	  Bounds of arrays that data fill.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_BASE_BOUNDS_H
#define DX_BASE_BOUNDS_H

#include "base/compat.h"

pg_noreturn extern void dx_no_room(int64 room, const char *what);

/*
 * Before element n of an array is written whose number of elements, room, was
 * not counted from what fills it: an error in every build, never a write past
 * its end.  what: plural, for the message.
 */
static inline void
dx_check_room(int64 n, int64 room, const char *what)
{
	if (unlikely(n < 0 || n >= room))
		dx_no_room(room, what);
}

#endif							/* DX_BASE_BOUNDS_H */
