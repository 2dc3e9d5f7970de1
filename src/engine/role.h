/*-------------------------------------------------------------------------
 *
 * role.h
 *	  Roles that the engine's tables name: DROP ROLE refuses them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_ROLE_H
#define DX_ENGINE_ROLE_H

extern void dx_role_note(Oid role);
extern void dx_roles_note_all(void);
extern void dx_role_forget(Oid role);

#endif							/* DX_ENGINE_ROLE_H */
