/*-------------------------------------------------------------------------
 *
 * program_cache.h
 *	  Loaded programs by version, for as long as there is room.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_PROGRAM_CACHE_H
#define DX_ENGINE_PROGRAM_CACHE_H

#include "asl/asl.h"

extern const DxProgram *dx_program_of(int32 version_id, const char **workflow,
									  int32 *version);

/* Forgets what is kept elsewhere for the Program with this serial number. */
typedef void (*DxForget) (uint64 program);

extern void dx_program_keeper(DxForget forget);
extern void dx_program_kept(const DxProgram *program, Size *size, Size now);

#endif							/* DX_ENGINE_PROGRAM_CACHE_H */
