/*-------------------------------------------------------------------------
 *
 * poison.h
 *	  Runs that end the process that advances them, and how they are found.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_BASE_POISON_H
#define DX_BASE_POISON_H

#include "base/watch.h"
#include "utils/uuid.h"

extern void dx_poison_state(const char *name);
extern void dx_poison_forget(const pg_uuid_t *run_id);
extern bool dx_poison_left_alone(const pg_uuid_t *run_id);
extern void dx_poison_narrow(const pg_uuid_t *run_ids, int n);

#define DX_POISON_STATE_LEN DX_PLACE_LEN

/* A run whose pass did not come to its end. */
typedef struct DxSuspect
{
	pg_uuid_t	run_id;
	Oid			dboid;
	uint16		deaths;			/* of workers, in a row */
	uint16		outages;		/* of the whole server, in a row */
	int32		branch;			/* with a verdict: whose step */
	uint32		verdict;		/* DxVerdict about state */
	char		state[DX_POISON_STATE_LEN]; /* "" = unknown */
} DxSuspect;

extern void dx_poison_startup(void);
extern void dx_poison_signals(void);
extern void dx_poison_attach(int index, Oid dboid);
extern void dx_poison_detach(void);
extern void dx_poison_note(const pg_uuid_t *run_ids, int n);
extern void dx_poison_clear(void);
extern bool dx_poison_any(void);
extern bool dx_poison_find(const pg_uuid_t *run_id, DxSuspect *suspect);
extern bool dx_poison_too_often(const DxSuspect *suspect);

/*
 * In a row, and then it is an incident.  An outage of the whole server says
 * little about what it was doing; but a step may have eaten the memory of the
 * container that the server is in.
 */
#define DX_MAX_DEATHS	3
#define DX_MAX_OUTAGES	10

extern void dx_poison_condemn(const pg_uuid_t *run_id, const DxSentence *sentence);
extern bool dx_poison_sentence(const pg_uuid_t *run_id, DxSentence *sentence);
extern void dx_poison_clip(char *to, const char *place);
extern void dx_poison_excuse(const pg_uuid_t *run_id);

#endif							/* DX_BASE_POISON_H */
