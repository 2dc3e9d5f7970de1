/*-------------------------------------------------------------------------
 *
 * session_watch.h
 *	  Sees what code of the user's does to its session and no catalog tells:
 *	  hooks that look only while such code runs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_BASE_SESSION_WATCH_H
#define DX_BASE_SESSION_WATCH_H

/* What cannot be taken away at once; a step that leaves it ends its pass. */
#define DX_LEFT_TEMPORARY	0x01	/* temporary objects: dropped already */
#define DX_LEFT_CONSTRAINTS 0x02	/* SET CONSTRAINTS: until the transaction
									 * ends */
#define DX_LEFT_OBJECT		0x04	/* large objects that are open: likewise */
#define DX_LEFT_LOCK		0x08	/* session locks: released when it ends */
#define DX_LEFT_PROCESS		0x10	/* as long as this process lives */

/* Is code of the user's running that must leave nothing behind? */
extern bool dx_session_watched;

/* What it leaves behind, DX_LEFT_*, since dx_session_enter. */
extern int	dx_session_marks;

extern void dx_session_left(int what);

extern void dx_session_watch_init(void);
extern void dx_session_forget_prepared(void);

#endif							/* DX_BASE_SESSION_WATCH_H */
