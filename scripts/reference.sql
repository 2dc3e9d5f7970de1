-- Makes docs/functions.md from the comments in the database: see reference.sh.
\pset format unaligned
\pset tuples_only true
\pset fieldsep ''
\pset recordsep '\n'
\qecho '# Every function and view'
\qecho
\qecho 'Made by `scripts/reference.sh` from the comments that `\\df+ dealix.*` and `\\dv+ dealix.*` show; [sql-reference.md](sql-reference.md) has the tour with examples.'
\qecho 'In brackets: the access that gives it (see [security.md](security.md)); views are given with every access. Each function stands in one section: with those whose work it belongs to.'
\qecho
-- To each function its reader: who needs its access, the fewest first.
CREATE TEMPORARY TABLE listed AS
SELECT p.*, CASE
		WHEN cardinality(access) = 0 THEN 'owner'
		WHEN cardinality(access) = 6 THEN 'everybody'
		WHEN access = '{approver}' THEN 'approver'
		WHEN access @> '{application,author}' THEN 'application'
		WHEN 'worker' = ANY (access) THEN 'worker'
		WHEN 'application' = ANY (access) THEN 'application'
		WHEN 'author' = ANY (access) THEN 'author'
		WHEN 'operator' = ANY (access) THEN 'operator' END AS reader
FROM (SELECT p.oid, p.proname, p.prokind, p.pronargs, ARRAY(SELECT a FROM unnest(ARRAY['application', 'approver', 'auditor', 'author', 'operator', 'worker']) a
		WHERE p.oid IN (SELECT f::oid FROM dealix.access_functions(a) f) ORDER BY a) AS access
	FROM pg_proc p WHERE p.pronamespace = 'dealix'::regnamespace) p;
-- Nobody is left out.
SELECT 1 / (count(*) = 0)::int FROM listed WHERE reader IS NULL \g /dev/null
\set list 'SELECT \'**`\', CASE p.prokind WHEN \'p\' THEN \'CALL \' ELSE \'\' END, p.proname, \'(\', replace(replace(pg_get_function_arguments(p.oid), \'::text\', \'\'), \'::jsonb\', \'\'), \')\', CASE p.prokind WHEN \'p\' THEN \'\' ELSE \' → \' || pg_get_function_result(p.oid) END, \'`**\', CASE WHEN cardinality(access) IN (0, 6) THEN \'\' ELSE \' (\' || array_to_string(access, \', \') || \')\' END, E\'\\n\', obj_description(p.oid, \'pg_proc\'), E\'\\n\' FROM listed p WHERE p.reader = '
\set by ' ORDER BY p.proname, p.pronargs, p.oid'
\qecho '## For applications'
\qecho
\qecho 'Who starts runs and works with them.'
\qecho
:list 'application' :by;
\qecho '## For workers outside'
\qecho
\qecho 'Programs that do the tasks of activities.'
\qecho
:list 'worker' :by;
\qecho '## For people who decide'
\qecho
\qecho 'Approvals.'
\qecho
:list 'approver' :by;
\qecho '## For authors'
\qecho
\qecho 'Of workflows.'
\qecho
:list 'author' :by;
\qecho '## For operators'
\qecho
\qecho 'Who look after runs.'
\qecho
:list 'operator' :by;
\qecho '## For everybody'
\qecho
\qecho 'Whatever their access.'
\qecho
:list 'everybody' :by;
\qecho '## For the extension''s owner'
\qecho
\qecho 'Who gives access.'
\qecho
:list 'owner' :by;
\qecho '## Views'
\qecho
SELECT '**`', c.relname, '`** ', obj_description(c.oid, 'pg_class'), E'  \nColumns: ',
	(SELECT string_agg('`' || a.attname || '`', ', ' ORDER BY a.attnum) FROM pg_attribute a
	 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), E'\n'
FROM pg_class c WHERE c.relnamespace = 'dealix'::regnamespace AND c.relkind = 'v'
ORDER BY c.relname;
