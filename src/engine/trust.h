/*-------------------------------------------------------------------------
 *
 * trust.h
 *	  Whose workflows an owner of runs executes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_TRUST_H
#define DX_ENGINE_TRUST_H

extern bool dx_trusts(Oid owner, Oid author);
extern void dx_trust_check(Oid owner, Oid author, const char *workflow);
extern bool dx_trust_author(Oid author);
extern bool dx_distrust_author(Oid author);
extern void dx_trust_changed(void);
extern char *dx_role_text(Oid role);

#endif							/* DX_ENGINE_TRUST_H */
