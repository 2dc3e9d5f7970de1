/*-------------------------------------------------------------------------
 *
 * identity.h
 *	  Who the engine is while it reads and writes its own tables.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_BASE_IDENTITY_H
#define DX_BASE_IDENTITY_H

/*
 * Engine statements run as the extension's owner with a safe search_path and
 * outside of what the role has set for itself.  Nothing of the user's runs
 * between enter and leave.
 */
typedef struct DxIdentity
{
	Oid			userid;
	int			sec_context;
	int			guc_level;
} DxIdentity;

extern void dx_engine_enter(DxIdentity *saved);
extern void dx_engine_leave(const DxIdentity *saved);

#ifdef USE_ASSERT_CHECKING
extern bool dx_engine_entered(void);
#endif

#endif							/* DX_BASE_IDENTITY_H */
