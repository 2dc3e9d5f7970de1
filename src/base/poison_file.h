/*-------------------------------------------------------------------------
 *
 * poison_file.h
 *	  The file behind poison.c: a header, then a slot per worker slot, then the
 *	  suspects.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_BASE_POISON_FILE_H
#define DX_BASE_POISON_FILE_H

#include "base/poison.h"
#include "port/pg_crc32c.h"
#include "utils/uuid.h"

#define DX_POISON_RUNS	1000	/* the bound of dealix_exec.pass_max_runs */
#define DX_POISON_SETS	1024
#define DX_POISON_WAYS	4

typedef struct DxPoisonHeader
{
	char		magic[8];
	uint32		version;
	uint32		nslots;
	uint32		slot_size;
	uint32		nsuspects;
	uint32		suspect_size;
	pg_crc32c	checksum;		/* of what is before it */
	volatile uint32 suspected;	/* suspects in use */
	volatile uint32 orderly;	/* the postmaster has sent a SIGQUIT */
	char		reserved[24];
} DxPoisonHeader;

typedef struct DxPoisonSlot
{
	volatile uint32 n;
	Oid			dboid;
	char		state[DX_POISON_STATE_LEN]; /* when n = 1 */
	pg_uuid_t	ids[DX_POISON_RUNS];
} DxPoisonSlot;

extern DxPoisonHeader *dx_poison_map(void);

#endif							/* DX_BASE_POISON_FILE_H */
