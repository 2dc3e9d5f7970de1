/*-------------------------------------------------------------------------
 *
 * expression_check.c
 *	  What can be said about {% SQL expression %} without running anything.
 *
 * Analysing an expression is already running it: a literal goes through the
 * input function of its type and the CHECKs of its domain, a type modifier
 * through a function, and who publishes or validates may be a superuser who
 * reads what somebody else wrote.  So here an expression is only parsed, by the
 * grammar, and the names in the tree are looked up in the catalogs.  All else
 * shows in the session of the run's owner.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup.h"
#include "asl/asl.h"
#include "asl/fault.h"
#include "asl/problem.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "engine/expression.h"
#include "engine/expression_check.h"
#include "engine/guard.h"
#include "engine/publish.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_type.h"
#include "parser/parser.h"
#include "parser/scansup.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

typedef struct Check
{
	const char *text;
	const DxPublishing *publishing; /* NULL: any variable may be one */
	MemoryContext cxt;			/* of what is found */
	List	   *queries;		/* of char *: names of WITH queries */
	bool		columns;		/* a name may be a column here */
	char	   *unknown;		/* a name that is no variable */
	char	   *wrong;			/* what else is wrong, the first of it */
} Check;

/* Notes what is wrong, the first time. */
static void
set_wrong(Check *check, char *wrong)
{
	if (check->wrong == NULL)
		check->wrong = MemoryContextStrdup(check->cxt, wrong);
}

/* Is the name in the list? */
static bool
in_list(const List *names, const char *name)
{
	ListCell   *lc;

	foreach(lc, names)
	{
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	}
	return false;
}

/* Can this name be a variable of the definition? */
static bool
is_variable(const Check *check, const char *name)
{
	static const char *const always[] = {"input", "result", "error", "context"};
	int			i;

	for (i = 0; i < lengthof(always); i++)
	{
		if (strcmp(name, always[i]) == 0)
			return true;
	}
	return check->publishing == NULL ||
		in_list(check->publishing->variables, name);
}

/* Outside of a query with FROM every plain name is a variable. */
static void
check_column(Check *check, const ColumnRef *ref)
{
	Node	   *first = linitial(ref->fields);

	if (check->columns)
		return;
	if (list_length(ref->fields) > 1 && IsA(first, String))
		set_wrong(check, psprintf("\"%s\" is no table here; a member of a variable is %s->'member'",
								  strVal(first), strVal(first)));
	else if (IsA(first, A_Star))
		set_wrong(check, "there are no columns that \"*\" could stand for");
	else if (IsA(first, String) && check->unknown == NULL &&
			 !is_variable(check, strVal(first)))
		check->unknown = MemoryContextStrdup(check->cxt, strVal(first));
}

/*
 * A word that SQL has a value for (user, current_date, localtime, ...), while
 * an Assign sets a variable of that name: which of the two is meant?
 */
static void
check_value_function(Check *check, const SQLValueFunction *function)
{
	const char *word;
	char	   *name;

	if (function->location < 0 || check->publishing == NULL)
		return;
	word = check->text + function->location;
	name = downcase_identifier(word, strspn(word, "abcdefghijklmnopqrstuvwxyz_ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
							   false, false);
	if (in_list(check->publishing->variables, name))
		set_wrong(check, psprintf("%s is a value of SQL's own here; the variable is written \"%s\", in double quotes",
								  name, name));
}

/* The variable that differs from a name in nothing but capitals, or NULL. */
static const char *
other_case(const DxPublishing *publishing, const char *name)
{
	ListCell   *lc;

	foreach(lc, publishing->variables)
	{
		if (pg_strcasecmp(lfirst(lc), name) == 0)
			return lfirst(lc);
	}
	return NULL;
}

/* Catalog look-ups only: a type's modifiers would go through its function. */
static bool
type_exists(const TypeName *type)
{
	TypeName	plain = *type;
	HeapTuple	tuple;

	plain.typmods = NIL;
	plain.typemod = -1;
	tuple = (HeapTuple) LookupTypeName(NULL, &plain, NULL, true);
	if (!HeapTupleIsValid(tuple))
		return false;
	ReleaseSysCache(tuple);
	return true;
}

/* Is there such a type? */
static void
check_type(Check *check, const TypeName *type)
{
	if (type->names != NIL && !type->pct_type && !type_exists(type))
		set_wrong(check, psprintf("type %s does not exist", TypeNameToString(type)));
}

/* f(x) may be a cast to a type f, or the column f of x. */
static bool
is_other_call(Check *check, const FuncCall *call)
{
	const Node *arg;

	if (list_length(call->args) != 1)
		return false;
	arg = linitial(call->args);
	if (type_exists(makeTypeNameFromNameList(call->funcname)))
		return true;
	return check->columns || !(IsA(arg, ColumnRef) || IsA(arg, A_Const) || IsA(arg, A_Expr));
}

/* The names of the named arguments of a call. */
static List *
argument_names(const FuncCall *call)
{
	List	   *names = NIL;
	ListCell   *lc;

	foreach(lc, call->args)
	{
		if (IsA(lfirst(lc), NamedArgExpr))
			names = lappend(names, lfirst_node(NamedArgExpr, lc)->name);
	}
	return names;
}

/* Is there a function of this name that takes so many arguments? */
static void
check_function(Check *check, const FuncCall *call)
{
	int			n = list_length(call->args) +
	(call->agg_within_group ? list_length(call->agg_order) : 0);

	if (FuncnameGetCandidates(call->funcname, n, argument_names(call),
							  !call->func_variadic, true, false, true) != NULL ||
		is_other_call(check, call))
		return;
	if (FuncnameGetCandidates(call->funcname, -1, NIL, false, false, false, true) != NULL)
		set_wrong(check, psprintf("function %s cannot be called with these arguments",
								  NameListToString(call->funcname)));
	else
		set_wrong(check, psprintf("function %s does not exist%s",
								  NameListToString(call->funcname),
								  list_length(call->funcname) > 1 ? "" :
								  "; what is not PostgreSQL's own has to be named with its schema"));
}

/* Is there such an operator? */
static void
check_operator(Check *check, const A_Expr *expr)
{
	if (expr->kind != AEXPR_OP && expr->kind != AEXPR_OP_ANY &&
		expr->kind != AEXPR_OP_ALL)
		return;
	if (OpernameGetCandidates(expr->name, expr->lexpr == NULL ? 'l' : 'b', true) == NULL)
		set_wrong(check, psprintf("operator %s does not exist%s",
								  NameListToString(expr->name),
								  list_length(expr->name) > 1 ? "" :
								  "; what is not PostgreSQL's own is written OPERATOR(schema.name)"));
}

/* Is there such a table, or query in a WITH? */
static void
check_table(Check *check, const RangeVar *table)
{
	if (table->schemaname == NULL && in_list(check->queries, table->relname))
		return;
	if (!OidIsValid(RangeVarGetRelid(table, NoLock, true)))
		set_wrong(check, psprintf("relation %s%s%s does not exist%s",
								  table->schemaname ? table->schemaname : "",
								  table->schemaname ? "." : "", table->relname,
								  table->schemaname ? "" : "; it has to be named with its schema"));
}

/* Walker: the names of all queries in WITH clauses. */
static bool
find_queries(Node *node, void *arg)
{
	Check	   *check = arg;

	if (node == NULL)
		return false;
	if (IsA(node, CommonTableExpr))
		check->queries = lappend(check->queries, ((CommonTableExpr *) node)->ctename);
	return raw_expression_tree_walker(node, find_queries, arg);
}

/*
 * Walker: looks up every name of a parsed expression; nothing is analysed, so
 * no code runs.
 */
static bool
check_node(Node *node, void *arg)
{
	Check	   *check = arg;
	bool		columns = check->columns;
	bool		result;

	if (node == NULL)
		return false;
	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	switch (nodeTag(node))
	{
		case T_SelectStmt:
			{
				const SelectStmt *select = (SelectStmt *) node;

				/* There, a name may also be that of an output column. */
				check->columns |= select->fromClause != NIL ||
					select->sortClause != NIL || select->groupClause != NIL;
			}
			break;
		case T_InsertStmt:
		case T_UpdateStmt:
		case T_DeleteStmt:
		case T_MergeStmt:
			set_wrong(check, "an expression cannot change tables; that is what steps are for");
			break;
		case T_ColumnRef:
			check_column(check, (ColumnRef *) node);
			break;
		case T_SQLValueFunction:
			check_value_function(check, (SQLValueFunction *) node);
			break;
		case T_TypeName:
			check_type(check, (TypeName *) node);
			break;
		case T_FuncCall:
			check_function(check, (FuncCall *) node);
			break;
		case T_A_Expr:
			check_operator(check, (A_Expr *) node);
			break;
		case T_RangeVar:
			check_table(check, (RangeVar *) node);
			break;
		case T_ParamRef:
			set_wrong(check, "there are no parameters in an expression");
			break;
		default:
			break;
	}
	result = raw_expression_tree_walker(node, check_node, arg);
	check->columns = columns;
	return result;
}

/* In a subtransaction, because the grammar and the look-ups raise errors. */
static void
check_body(void *arg)
{
	Check	   *check = arg;
	List	   *parsed;
	SelectStmt *select;

	dx_expression_search_path();
	parsed = raw_parser(check->text, RAW_PARSE_PLPGSQL_EXPR);
	select = castNode(SelectStmt, linitial_node(RawStmt, parsed)->stmt);
	if (list_length(select->targetList) != 1)
		set_wrong(check, psprintf("it gives %d values in place of one",
								  list_length(select->targetList)));
	(void) find_queries((Node *) select, check);
	(void) check_node((Node *) select, check);
}

/*
 * Reports what is wrong with an expression: DxCompileOptions.check_expr.
 * Executes nothing.  Needs SPI_connect.
 */
void
dx_expression_check(void *arg, const DxExpr *expr, DxProblems *problems)
{
	Check		check = {expr->text, arg, CurrentMemoryContext, NIL, false, NULL, NULL};
	DxFault		fault = {NULL, NULL};
	const char *wrong = NULL;

	if (dx_guard(NULL, GetUserId(), 0, check_body, &check, &fault) != DX_CALL_DONE)
		wrong = fault.cause ? fault.cause : fault.error ? fault.error : "it fails";
	else if (check.wrong != NULL)
		wrong = check.wrong;
	if (wrong != NULL)
		dx_problem(problems, expr->pointer, "INVALID_EXPRESSION",
				   "Between {% and %} stands one SQL expression over input, result, error, context and assigned variables, all jsonb. A variable whose name is a word of SQL or has capitals is written in double quotes.",
				   "%s", wrong);
	else if (check.unknown != NULL)
		dx_problem(problems, expr->pointer, "UNKNOWN_VARIABLE",
				   other_case(arg, check.unknown) != NULL ?
				   psprintf("Write \"%s\" in double quotes: without them SQL reads capitals as small letters.",
							other_case(arg, check.unknown)) :
				   "There are input, result, error, context and what an Assign sets.",
				   "there is no variable \"%s\"", check.unknown);
}
