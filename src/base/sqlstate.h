/*-------------------------------------------------------------------------
 *
 * sqlstate.h
 *	  The condition name of an SQLSTATE, which the server has only for
 *	  PL/pgSQL.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_BASE_SQLSTATE_H
#define DX_BASE_SQLSTATE_H

/*
 * The SQLSTATEs of this extension.  No class that a driver takes for a passing
 * trouble and retries: 08, 28, 40, 53, 54, 55, 57 and 58 (OperationalError in
 * Python).  DX002 is raised in SQL, by dealix.result; DX005 is for a run that is at home on another
 * server.
 */
#define DX_SQLSTATE_RAISED_UNNAMED	MAKE_SQLSTATE('D', 'X', '0', '0', '0')
#define DX_SQLSTATE_RAISED			MAKE_SQLSTATE('D', 'X', '0', '0', '1')
#define DX_SQLSTATE_REFUSED			MAKE_SQLSTATE('D', 'X', '0', '0', '3')	/* token not good */
#define DX_SQLSTATE_CLOSED			MAKE_SQLSTATE('D', 'X', '0', '0', '4')	/* intent is closed */
#define DX_SQLSTATE_ENDED			MAKE_SQLSTATE('D', 'X', '0', '0', '6')
#define DX_SQLSTATE_WRONG_STATE		MAKE_SQLSTATE('D', 'X', '0', '0', '7')
#define DX_SQLSTATE_HELD			MAKE_SQLSTATE('D', 'X', '0', '0', '8')
#define DX_SQLSTATE_TOO_LARGE		MAKE_SQLSTATE('D', 'X', '0', '0', '9')
#define DX_SQLSTATE_NOT_RELEASED	MAKE_SQLSTATE('D', 'X', '0', '1', '0')

extern const char *dx_sqlstate_name(int sqlstate);

#endif							/* DX_BASE_SQLSTATE_H */
