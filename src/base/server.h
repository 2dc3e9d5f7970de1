/*-------------------------------------------------------------------------
 *
 * server.h
 *	  What differs between PostgreSQL 15, 16, 17 and 18, and what is forced.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_BASE_SERVER_H
#define DX_BASE_SERVER_H

extern bool dx_may_execute(Oid function, Oid role);
extern bool dx_in_background(void);
extern bool dx_may_use_schema(const char *schema, Oid role);

/*
 * Makes the commit of this transaction wait for its flush, whatever the role
 * or the session has set.
 */
extern void dx_force_durable(void);

/* synchronous_commit as the server has it, without databases and roles: shmem.c. */
extern int	dx_server_commit(void);
extern void dx_server_commit_note(void);

#endif							/* DX_BASE_SERVER_H */
