/*-------------------------------------------------------------------------
 *
 * version.h
 *	  From the name of a workflow to the version that a new run follows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_VERSION_H
#define DX_ENGINE_VERSION_H

typedef struct DxVersion
{
	int32		workflow_id;
	int32		version_id;
	int32		version;
	Oid			author;			/* whose the workflow is */
	bool		unreleased;		/* has external effects, and nobody has
								 * released it */
} DxVersion;

extern void dx_version_find(const char *workflow, int32 version,
							DxVersion *found);
extern void dx_version_stored(void);

#endif							/* DX_ENGINE_VERSION_H */
