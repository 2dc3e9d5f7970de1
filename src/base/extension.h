/*-------------------------------------------------------------------------
 *
 * extension.h
 *	  Is the extension created in this database, whose is it, and is it of the
 *	  version of this library?
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_BASE_EXTENSION_H
#define DX_BASE_EXTENSION_H

#define DX_EXTENSION	"dealix_exec"
#define DX_SCHEMA		"dealix"
#define DX_INTERNAL		"dealix_internal"	/* what nobody calls by hand */

/* What to do where extension and library (DX_VERSION, by make) differ. */
#define DX_VERSION_HINT	"Run ALTER EXTENSION %s UPDATE. If it is the library that is older, install the newer one and restart the server."

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

/* An update: processes stay away from what is of another version. */
extern const char *dx_extension_other_version(void);
extern bool dx_extension_serve(void);
extern void dx_extension_changed(void);

#endif							/* DX_BASE_EXTENSION_H */
