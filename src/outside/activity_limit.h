/*-------------------------------------------------------------------------
 *
 * activity_limit.h
 *	  Flow control of activities: how many tasks may be claimed at a time,
 *	  and how many a second.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_OUTSIDE_ACTIVITY_LIMIT_H
#define DX_OUTSIDE_ACTIVITY_LIMIT_H

#include "utils/array.h"

#define DX_MAX_SHARDS	16		/* of a rate, as in dealix.activity_limit */

/* What the limits of an activity seem to leave at the moment. */
typedef struct DxRoom
{
	int			allowed;
	bool		has_slots;		/* there is a max_in_flight, */
	bool		crowded;		/* and slots beyond it */
	bool		has_rate;
	bool		per_owner;		/* for the tasks of each owner */
	bool		ahead;			/* the clock was set back: see
								 * dx_room_set_back */
	long		later;			/* ms until time alone may make room; 0: it
								 * does not */
} DxRoom;

extern bool dx_room_look(const char *activity, int max, DxRoom *room);
extern void dx_room_look_of(const char *activity, Oid owner, int max, DxRoom *room);
extern bool dx_room_waits_of(const char *activity, Oid owner, DxRoom *room);
extern void dx_room_set_back(const char *activity, Oid owner);
extern int	dx_room_take(const char *activity, Oid owner, const DxRoom *room,
						 int wanted, ArrayType **slots);

#endif							/* DX_OUTSIDE_ACTIVITY_LIMIT_H */
