/*-------------------------------------------------------------------------
 *
 * watch.h
 *	  What ends code that does not end by itself.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_WATCH_H
#define DX_WATCH_H

#include "utils/uuid.h"

/* Bytes of a state's name, or of a pointer to an expression, that are kept. */
#define DX_PLACE_LEN	72

/* Why a step was ended together with its process. */
typedef enum DxVerdict
{
	DX_VERDICT_NONE = 0,
	DX_VERDICT_TIMEOUT = 1,		/* its time was over */
	DX_VERDICT_CANCEL = 2		/* somebody has cancelled it */
} DxVerdict;

/* What is to become of a step that its process did not survive. */
typedef struct DxSentence
{
	DxVerdict	verdict;
	int32		branch;
	char		place[DX_PLACE_LEN];
} DxSentence;

/* What is watched outside of the code that is watched now. */
typedef struct DxWatch
{
	int			code;
	bool		evaluating;
} DxWatch;

extern void dx_watch_begin(void);
extern void dx_watch_end(void);
extern void dx_watch_place(const pg_uuid_t *run_id, int32 branch, const char *place);
extern void dx_watch_enter(DxWatch *outer, double seconds);
extern bool dx_watch_leave(const DxWatch *outer, double seconds);
extern void dx_watch_evaluation(bool begins);
extern bool dx_watch_overdue(void);

#endif							/* DX_WATCH_H */
