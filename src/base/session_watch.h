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

/* Is code of the user's running that must leave nothing behind? */
extern bool dx_session_watched;

extern void dx_session_watch_init(void);
extern void dx_session_forget_prepared(void);

#endif							/* DX_BASE_SESSION_WATCH_H */
