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
-- To each function its line and its reader: who needs its access, the fewest first.
CREATE TEMPORARY TABLE listed AS
SELECT format('**`%s%s(%s)%s`**%s', CASE prokind WHEN 'p' THEN 'CALL ' END, proname,
		replace(replace(pg_get_function_arguments(oid), '::text', ''), '::jsonb', ''),
		CASE WHEN prokind <> 'p' THEN ' → ' || pg_get_function_result(oid) END,
		CASE WHEN cardinality(access) NOT IN (0, 8) THEN format(' (%s)', array_to_string(access, ', ')) END)
	|| E'\n' || obj_description(oid, 'pg_proc') || E'\n' AS line, proname, pronargs, oid, CASE
		WHEN cardinality(access) = 0 THEN 'owner'
		WHEN cardinality(access) = 8 THEN 'everybody'
		WHEN access <@ '{approver,gateway}' THEN 'approver'
		WHEN access && '{governor}' AND NOT access && '{application,author,worker}' THEN 'governor'
		WHEN access @> '{application,author}' THEN 'application'
		WHEN 'worker' = ANY (access) THEN 'worker'
		WHEN 'application' = ANY (access) THEN 'application'
		WHEN 'author' = ANY (access) THEN 'author'
		WHEN 'operator' = ANY (access) THEN 'operator' END AS reader
FROM (SELECT p.oid, p.proname, p.prokind, p.pronargs, ARRAY(SELECT a FROM unnest(ARRAY['application', 'approver', 'auditor', 'author', 'gateway', 'governor', 'operator', 'worker']) a
		WHERE p.oid IN (SELECT f::oid FROM dealix.access_functions(a) f) ORDER BY a) AS access
	FROM pg_proc p WHERE p.pronamespace = 'dealix'::regnamespace) p;
-- Nobody is left out.
SELECT 1 / (count(*) = 0)::int FROM listed WHERE reader IS NULL OR line IS NULL \g /dev/null
PREPARE functions_of AS SELECT line FROM listed WHERE reader = $1 ORDER BY proname, pronargs, oid;
\qecho '## For applications'
\qecho
\qecho 'Who starts runs and works with them.'
\qecho
EXECUTE functions_of('application');
\qecho '## For workers outside'
\qecho
\qecho 'Programs that do the tasks of activities.'
\qecho
EXECUTE functions_of('worker');
\qecho '## For people who decide'
\qecho
\qecho 'Approvals.'
\qecho
EXECUTE functions_of('approver');
\qecho '## For governors'
\qecho
\qecho 'Who say what leaves, and who decides.'
\qecho
EXECUTE functions_of('governor');
\qecho '## For authors'
\qecho
\qecho 'Of workflows.'
\qecho
EXECUTE functions_of('author');
\qecho '## For operators'
\qecho
\qecho 'Who look after runs.'
\qecho
EXECUTE functions_of('operator');
\qecho '## For everybody'
\qecho
\qecho 'Whatever their access.'
\qecho
EXECUTE functions_of('everybody');
\qecho '## For the extension''s owner'
\qecho
\qecho 'Who gives access.'
\qecho
EXECUTE functions_of('owner');
\qecho '## Views'
\qecho
SELECT '**`', c.relname, '`** ', obj_description(c.oid, 'pg_class'), E'  \nColumns: ',
	(SELECT string_agg('`' || a.attname || '`', ', ' ORDER BY a.attnum) FROM pg_attribute a
	 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), E'\n'
FROM pg_class c WHERE c.relnamespace = 'dealix'::regnamespace AND c.relkind = 'v'
ORDER BY c.relname;
