--
-- The SQL surface: what is there, with which arguments, for whom.
--
LOAD 'dealix_exec';
\pset format unaligned
SELECT p.proname, CASE p.prokind WHEN 'p' THEN 'procedure' ELSE pg_get_function_result(p.oid) END AS result,
	pg_get_function_arguments(p.oid) AS arguments
FROM pg_proc p WHERE p.pronamespace = 'dealix'::regnamespace
ORDER BY 1, 3;
SELECT c.relname AS view, string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum) AS columns
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace = 'dealix'::regnamespace AND c.relkind = 'v'
GROUP BY 1 ORDER BY 1;
-- what nobody calls by hand
SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'dealix_internal'::regnamespace ORDER BY p.proname;
SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = 'dealix_internal'::regnamespace AND c.relkind <> 'i' ORDER BY c.relname;
-- every function and view says what it is for
SELECT p.oid::regprocedure FROM pg_proc p
WHERE p.pronamespace IN ('dealix'::regnamespace, 'dealix_internal'::regnamespace) AND coalesce(length(obj_description(p.oid, 'pg_proc')), 0) < 20;
SELECT c.oid::regclass FROM pg_class c
WHERE c.relnamespace IN ('dealix'::regnamespace, 'dealix_internal'::regnamespace) AND c.relkind = 'v' AND coalesce(length(obj_description(c.oid, 'pg_class')), 0) < 10;
-- every setting does, too
SELECT name, boot_val, unit, vartype, min_val, max_val FROM pg_settings WHERE name LIKE 'dealix_exec.%' ORDER BY name;
SELECT name FROM pg_settings WHERE name LIKE 'dealix_exec.%' AND coalesce(length(short_desc), 0) < 20;
-- no table can be lost in a dump
SELECT c.oid::regclass AS not_dumped FROM pg_class c
WHERE c.relnamespace IN ('dealix'::regnamespace, 'dealix_internal'::regnamespace) AND c.relkind IN ('r', 'S')
	AND c.oid <> ALL ((SELECT extconfig FROM pg_extension WHERE extname = 'dealix_exec')::oid[]);
-- what each access gives
CREATE ROLE regress_dx_application;
CREATE ROLE regress_dx_author;
CREATE ROLE regress_dx_operator;
CREATE ROLE regress_dx_auditor;
CREATE ROLE regress_dx_worker;
SELECT FROM dealix.grant_access('regress_dx_application', 'application') AS a1, dealix.grant_access('regress_dx_author', 'author') AS a2,
	dealix.grant_access('regress_dx_operator', 'operator') AS a3, dealix.grant_access('regress_dx_auditor', 'auditor') AS a4,
	dealix.grant_access('regress_dx_worker', 'worker') AS a5;
SELECT p.proname, string_agg(replace(r.rolname, 'regress_dx_', ''), ', ' ORDER BY r.rolname) AS access
FROM pg_proc p LEFT JOIN pg_roles r ON r.rolname LIKE 'regress\_dx\_%' AND has_function_privilege(r.oid, p.oid, 'EXECUTE')
WHERE p.pronamespace IN ('dealix'::regnamespace, 'dealix_internal'::regnamespace)
GROUP BY p.oid, p.proname ORDER BY 1, p.oid;
-- and takes back
SELECT FROM dealix.revoke_access('regress_dx_application', 'application') AS a1, dealix.revoke_access('regress_dx_author', 'author') AS a2,
	dealix.revoke_access('regress_dx_operator', 'operator') AS a3, dealix.revoke_access('regress_dx_auditor', 'auditor') AS a4,
	dealix.revoke_access('regress_dx_worker', 'worker') AS a5;
SELECT count(*) AS left_over FROM pg_proc p JOIN pg_roles r ON r.rolname LIKE 'regress\_dx\_%' AND has_function_privilege(r.oid, p.oid, 'EXECUTE')
WHERE p.pronamespace IN ('dealix'::regnamespace, 'dealix_internal'::regnamespace);
DROP OWNED BY regress_dx_application, regress_dx_author, regress_dx_operator, regress_dx_auditor, regress_dx_worker;
DROP ROLE regress_dx_application, regress_dx_author, regress_dx_operator, regress_dx_auditor, regress_dx_worker;
