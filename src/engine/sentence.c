/*-------------------------------------------------------------------------
 *
 * sentence.c
 *	  Steps whose outcome is known before they are tried: they did not end when
 *	  they were cancelled, and their process had to (watch.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/fault.h"
#include "base/poison.h"
#include "base/watch.h"
#include "engine/guard.h"
#include "engine/model.h"
#include "engine/sentence.h"

/* Looks whether there is one for this run, which has just been claimed. */
void
dx_sentence_load(DxRun *run)
{
	DxSentence	sentence;

	if (!dx_poison_sentence(&run->id, &sentence))
		return;
	run->sentence = palloc(sizeof(DxSentence));
	*run->sentence = sentence;
}

/*
 * Is it for the code at this place, of the branch that is being advanced?  Then
 * it is served: *outcome and *fault are that of the code.
 */
bool
dx_sentence_takes(DxRun *run, const char *place, DxCallOutcome *outcome,
				  DxFault *fault)
{
	DxSentence *sentence = run->sentence;
	char		clipped[DX_PLACE_LEN];

	if (sentence == NULL || sentence->branch != run->at)
		return false;
	dx_poison_clip(clipped, place);
	if (strcmp(clipped, sentence->place) != 0)
		return false;
	run->sentence = NULL;
	dx_poison_forget(&run->id);
	fault->cause = pstrdup("It went on when it was cancelled, and so its process was ended.");
	if (sentence->verdict == DX_VERDICT_TIMEOUT)
	{
		fault->error = pstrdup(DX_ERROR_TIMEOUT);
		*outcome = DX_CALL_TIMEOUT;
	}
	else
	{
		fault->error = pstrdup("SQL.query_canceled");
		*outcome = DX_CALL_FAULT;
	}
	return true;
}
