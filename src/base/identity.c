/*-------------------------------------------------------------------------
 *
 * identity.c
 *	  Who the engine is while it reads and writes its own tables.
 *
 * A role's own settings reach every session of that role, and a step may have
 * changed what it likes: so each stretch of engine statements brings what it
 * depends on along, in a GUC nest level of its own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/extension.h"
#include "base/guc.h"
#include "base/identity.h"
#include "miscadmin.h"
#include "utils/guc.h"

/*
 * The planner settings pin the engine's plans to index look-ups: a plan made
 * while a table is empty must not turn into a scan of a million rows.
 */
typedef struct Setting
{
	const char *name;
	const char *value;
} Setting;

static const Setting engine_settings[] =
{
	{"search_path", "pg_catalog, pg_temp"},
	{"enable_seqscan", "off"},
	{"enable_hashjoin", "off"},
	{"enable_mergejoin", "off"},
	{"enable_bitmapscan", "off"},
	{"jit", "off"},
	{"row_security", "off"},
};

#ifdef USE_ASSERT_CHECKING
/*
 * What a statement means must not hang on its plan.  Under dealix_exec.scan_plans
 * tests get, where there is a choice, the opposite of what is pinned above.
 */
static const Setting scan_settings[] =
{
	{"enable_seqscan", "on"},
	{"enable_hashjoin", "on"},
	{"enable_mergejoin", "on"},
	{"enable_bitmapscan", "on"},
	{"enable_indexscan", "off"},
	{"enable_indexonlyscan", "off"},
	{"enable_tidscan", "off"},
	{"enable_nestloop", "off"},
};
#endif

/* Sets them for the GUC nest level that was just opened. */
static void
set_all(const Setting *settings, int n)
{
	int			i;

	for (i = 0; i < n; i++)
		(void) set_config_option(settings[i].name, settings[i].value,
								 PGC_SUSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
}

/*
 * From here on statements run as the extension's owner under a safe
 * search_path.  *saved is for dx_engine_leave.  An error in between needs no
 * leave: (sub)transaction abort restores both.  Errors: 55000 when the
 * extension is not created in this database, or in another version.
 */
void
dx_engine_enter(DxIdentity *saved)
{
	Oid			owner = dx_extension_owner();

	GetUserIdAndSecContext(&saved->userid, &saved->sec_context);
	saved->guc_level = NewGUCNestLevel();
	SetUserIdAndSecContext(owner,
						   saved->sec_context | SECURITY_LOCAL_USERID_CHANGE);
	set_all(engine_settings, lengthof(engine_settings));
#ifdef USE_ASSERT_CHECKING
	if (dx_scan_plans)
		set_all(scan_settings, lengthof(scan_settings));
#endif
}

/* Back to who we were. */
void
dx_engine_leave(const DxIdentity *saved)
{
	Assert(dx_engine_entered());
	AtEOXact_GUC(false, saved->guc_level);
	SetUserIdAndSecContext(saved->userid, saved->sec_context);
}

#ifdef USE_ASSERT_CHECKING
/* For Asserts: are we between dx_engine_enter and dx_engine_leave? */
bool
dx_engine_entered(void)
{
	Oid			userid;
	int			sec_context;

	GetUserIdAndSecContext(&userid, &sec_context);
	return userid == dx_extension_owner() &&
		(sec_context & SECURITY_LOCAL_USERID_CHANGE) != 0;
}
#endif
