-- Makes docs/functions.md from the comments in the database: see reference.sh.
\pset format unaligned
\pset tuples_only true
\pset fieldsep ''
\pset recordsep '\n'
\qecho '# Every function and view'
\qecho
\qecho 'Made by `scripts/reference.sh` from the comments that `\\df+ dealix.*` and `\\dv+ dealix.*` show; [sql-reference.md](sql-reference.md) has the tour with examples.'
\qecho 'In brackets: the access that gives it (see [security.md](security.md)); views are given with every access.'
\qecho
\qecho '## Functions and procedures'
\qecho
SELECT '**`', CASE p.prokind WHEN 'p' THEN 'CALL ' ELSE '' END, p.proname, '(',
	replace(replace(pg_get_function_arguments(p.oid), '::text', ''), '::jsonb', ''), ')',
	CASE p.prokind WHEN 'p' THEN '' ELSE ' → ' || pg_get_function_result(p.oid) END, '`**',
	(SELECT CASE count(*) WHEN 0 THEN '' WHEN 6 THEN ' (every access)' ELSE ' (' || string_agg(a, ', ' ORDER BY a) || ')' END
	 FROM unnest(ARRAY['application', 'approver', 'auditor', 'author', 'operator', 'worker']) a
	 WHERE p.oid IN (SELECT f::oid FROM dealix.access_functions(a) f)),
	E'\n', obj_description(p.oid, 'pg_proc'), E'\n'
FROM pg_proc p WHERE p.pronamespace = 'dealix'::regnamespace
ORDER BY p.proname, p.pronargs, p.oid;
\qecho '## Views'
\qecho
SELECT '**`', c.relname, '`** ', obj_description(c.oid, 'pg_class'), E'  \nColumns: ',
	(SELECT string_agg('`' || a.attname || '`', ', ' ORDER BY a.attnum) FROM pg_attribute a
	 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), E'\n'
FROM pg_class c WHERE c.relnamespace = 'dealix'::regnamespace AND c.relkind = 'v'
ORDER BY c.relname;
