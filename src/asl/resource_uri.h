/*-------------------------------------------------------------------------
 *
 * resource_uri.h
 *	  The Resource of a Task: what kind it is and whether it is well-formed.
 *	  What it stands for is known to the rooms above.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ASL_RESOURCE_URI_H
#define DX_ASL_RESOURCE_URI_H

extern const char *dx_resource_not_express(const char *uri);

#endif							/* DX_ASL_RESOURCE_URI_H */
