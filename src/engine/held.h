/*-------------------------------------------------------------------------
 *
 * held.h
 *	  Whether this database is the one whose runs stand in it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_HELD_H
#define DX_ENGINE_HELD_H

/* A copy of a database must not repeat effects. */
extern bool dx_database_held(void);
extern bool dx_database_at_home(void);
extern void dx_identity_record(void);
extern bool dx_identity_adopt(void);

#endif							/* DX_ENGINE_HELD_H */
