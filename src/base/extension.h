/*-------------------------------------------------------------------------
 *
 * extension.h
 *	  Is the extension created in this database, and whose is it?
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_BASE_EXTENSION_H
#define DX_BASE_EXTENSION_H

#define DX_EXTENSION	"dealix_exec"
#define DX_SCHEMA		"dealix"
#define DX_INTERNAL		"dealix_internal"	/* what nobody calls by hand */

/*
 * InvalidOid when the extension is not created in this database.  Cached;
 * invalidated by the catalog.  Needs a transaction.
 */
extern Oid	dx_extension_oid(void);
extern Oid	dx_extension_function(const char *schema, const char *name);
extern Oid	dx_extension_owner(void);

/*
 * Takes AccessShareLock on the extension object until the end of the
 * transaction and tells whether it still is the one that we knew.  Every pass
 * begins with it, so that DROP EXTENSION waits for passes and not the other
 * way round.
 */
extern bool dx_extension_lock(void);

#endif							/* DX_BASE_EXTENSION_H */
