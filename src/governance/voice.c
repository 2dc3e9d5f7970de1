/*-------------------------------------------------------------------------
 *
 * voice.c
 *	  Do those who agree suffice?
 *
 * A quorum is one of approvers; and besides, somebody of each group of AllOf has
 * to agree.  Who is an approver and of a group counts for both.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/identity.h"
#include "base/plan.h"
#include "catalog/pg_type.h"
#include "engine/columns.h"
#include "executor/spi.h"
#include "governance/actor.h"
#include "governance/decider.h"
#include "governance/group.h"
#include "governance/voice.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"
#include "utils/uuid.h"

static DxStatement agreed_statement = {
	"SELECT COALESCE(for_person, person), approver::pg_catalog.oid FROM dealix.intent_decision"
	" WHERE intent_id = $1 AND version = $2 AND decision <> 'reject' ORDER BY at",
	2, {UUIDOID, INT4OID}
};

static DxStatement count_statement = {
	"SELECT pg_catalog.count(*) FROM dealix.intent_decision"
	" WHERE intent_id = $1 AND version = $2 AND decision <> 'reject'",
	2, {UUIDOID, INT4OID}
};

/* A person who agrees. */
typedef struct Voice
{
	char	   *person;			/* or who has delegated it to her */
	Oid			session;
	List	   *roles;			/* Oids */
} Voice;

/* How many agree with this version. */
static int64
count_voices(const DxAsked *asked)
{
	Datum		values[2];
	bool		isnull;
	int64		count;

	values[0] = UUIDPGetDatum(asked->intent_id);
	values[1] = Int32GetDatum(asked->version);
	(void) dx_execute(&count_statement, values, NULL, false, 1);
	count = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return count;
}

/* Those who agree with this version, and by the rights of which roles. */
static List *
read_voices(const DxAsked *asked)
{
	Datum		values[2];
	List	   *voices = NIL;
	ListCell   *lc;

	values[0] = UUIDPGetDatum(asked->intent_id);
	values[1] = Int32GetDatum(asked->version);
	(void) dx_execute(&agreed_statement, values, NULL, false, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		DxRow		row = dx_row(i);
		Voice	   *voice = palloc(sizeof(Voice));

		voice->person = dx_get_text(&row);
		voice->session = DatumGetObjectId(dx_get(&row));
		voices = lappend(voices, voice);
	}
	SPI_freetuptable(SPI_tuptable);
	foreach(lc, voices)
	{
		Voice	   *voice = lfirst(lc);

		/* A gateway's rights are nobody's who has her own. */
		voice->roles = dx_roles_of_person(voice->person);
		if (voice->roles == NIL)
			voice->roles = list_make1_oid(voice->session);
	}
	return voices;
}

/* Does somebody of each group agree, each another person? */
static bool
groups_agree(const Jsonb *all_of, const List *voices)
{
	int			ngroups = JB_ROOT_COUNT(all_of);
	int			nvoices = list_length(voices);
	bool	   *fits = palloc0(sizeof(bool) * Max(ngroups * nvoices, 1));

	for (int group = 0; group < ngroups; group++)
	{
		List	   *names = dx_group_of(all_of, group);
		ListCell   *lc;

		foreach(lc, voices)
			fits[group * nvoices + foreach_current_index(lc)] =
			dx_any_may(((Voice *) lfirst(lc))->roles, names);
	}
	return dx_groups_filled(ngroups, nvoices, fits);
}

/*
 * Do those who agree with this version suffice?  Between dx_engine_enter and
 * dx_engine_leave, with SPI connected.
 */
bool
dx_voices_suffice(const DxAsked *asked)
{
	List	   *voices;
	ListCell   *lc;
	int			approvers = 0;

	Assert(dx_engine_entered());
	if (count_voices(asked) < asked->quorum)
		return false;
	if (asked->all_of == NULL)
		return true;
	voices = read_voices(asked);
	foreach(lc, voices)
	{
		if (asked->approvers == NIL || dx_any_may(((Voice *) lfirst(lc))->roles, asked->approvers))
			approvers++;
	}
	return approvers >= asked->quorum && groups_agree(asked->all_of, voices);
}
