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

/* What can't be taken away at once; a step that leaves it ends its pass. */
#define DX_LEFT_TEMPORARY	0x01	/* temporary objects: dropped already */
#define DX_LEFT_CONSTRAINTS 0x02	/* SET CONSTRAINTS: until the transaction
									 * ends */
#define DX_LEFT_OBJECT		0x04	/* large objects that are open: likewise */
#define DX_LEFT_LOCK		0x08	/* session locks: released when it ends */
#define DX_LEFT_PROCESS		0x10	/* as long as this process lives */

extern void dx_session_init(void);
extern void dx_session_lend(void);
extern void dx_session_enter(void);
extern void dx_session_close(SubTransactionId since, bool whole);
extern int	dx_session_leave(void);
extern void dx_session_left(int what);
extern bool dx_session_worn_out(void);

#endif							/* DX_SESSION_H */
