/*-------------------------------------------------------------------------
 *
 * halt.c
 *	  The emergency stop: what no effect gets past while it stands.
 *
 * A pass that comes to an effect takes a lock that dealix.halt() waits for, and
 * reads what is stopped under it.  So when halt() returns, nothing goes out any
 * more: a pass before it has committed, and one after it sees the row.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "asl/asl.h"
#include "asl/classes.h"
#include "asl/json.h"
#include "base/identity.h"
#include "base/plan.h"
#include "engine/columns.h"
#include "engine/pass.h"
#include "executor/spi.h"
#include "governance/halt.h"
#include "governance/intent.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

/* What is stopped, as a pass knows it. */
typedef struct DxHalts
{
	List	   *scopes;			/* of Jsonb * */
} DxHalts;

static DxStatement lock_statement = {
	"LOCK TABLE dealix.halt IN ROW EXCLUSIVE MODE", 0, {0}
};

static DxStatement halts_statement = {
	"SELECT scope FROM dealix.halt WHERE ended_at IS NULL ORDER BY halt_id", 0, {0}
};

/* Reads what is stopped, once a pass. */
static DxHalts *
read_halts(DxPass *pass)
{
	MemoryContext oldcxt = CurrentMemoryContext;
	DxIdentity	saved;

	if (pass->halts != NULL)
		return pass->halts;
	dx_engine_enter(&saved);
	(void) dx_execute(&lock_statement, NULL, NULL, false, 0);
	(void) dx_execute(&halts_statement, NULL, NULL, false, 0);
	dx_engine_leave(&saved);
	MemoryContextSwitchTo(pass->cxt);
	pass->halts = palloc0(sizeof(DxHalts));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		DxRow		row = dx_row(i);

		pass->halts->scopes = lappend(pass->halts->scopes, dx_get_jsonb(&row));
	}
	MemoryContextSwitchTo(oldcxt);
	SPI_freetuptable(SPI_tuptable);
	return pass->halts;
}

/* Does the scope say nothing about this, or exactly that? */
static bool
covers(const Jsonb *scope, const char *name, const char *value)
{
	char	   *asked = dx_json_get_text(scope, name);

	return asked == NULL || (value != NULL && strcmp(asked, value) == 0);
}

/* Does anything that is stopped contain the effect? */
bool
dx_halted(DxPass *pass, const DxIntent *intent)
{
	const DxHalts *halts = read_halts(pass);
	ListCell   *lc;

	foreach(lc, halts->scopes)
	{
		const Jsonb *scope = lfirst(lc);

		if (covers(scope, "action", intent->action) &&
			covers(scope, "tenant", intent->tenant) &&
			covers(scope, "workflow", intent->run->workflow) &&
			covers(scope, "side_effect", dx_class_word(&intent->verdict.classes, 0)))
			return true;
	}
	return false;
}
