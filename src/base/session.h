/*-------------------------------------------------------------------------
 *
 * session.h
 *	  What code of the user's leaves behind in a session, and how it is taken
 *	  away again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_SESSION_H
#define DX_SESSION_H

extern void dx_session_init(void);
extern void dx_session_lend(void);
extern void dx_session_enter(void);
extern void dx_session_close(SubTransactionId since, bool whole);
extern int	dx_session_leave(void);
extern bool dx_session_worn_out(void);

#endif							/* DX_SESSION_H */
