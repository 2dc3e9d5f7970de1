-- Everything that the extension consists of, one object a line, in words: what
-- an upgrade has to leave exactly as a fresh installation makes it.
SET search_path = pg_catalog;
WITH member AS (
	SELECT d.classid, d.objid
	FROM pg_depend d
	JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
	WHERE e.extname = 'dealix_exec' AND d.deptype = 'e'
), relation AS (
	SELECT c.* FROM pg_class c JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
), routine AS (
	SELECT p.* FROM pg_proc p JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
), object (what, body) AS (
	SELECT 'member ' || pg_describe_object(classid, objid, 0), ''
	FROM member
	UNION ALL
	SELECT 'comment on ' || pg_describe_object(d.classoid, d.objoid, d.objsubid), d.description
	FROM pg_description d
	WHERE EXISTS (SELECT FROM member m WHERE (m.classid, m.objid) = (d.classoid, d.objoid))
		OR (d.classoid = 'pg_trigger'::regclass
			AND EXISTS (SELECT FROM pg_trigger t JOIN relation r ON r.oid = t.tgrelid WHERE t.oid = d.objoid))
		OR (d.classoid = 'pg_constraint'::regclass
			AND EXISTS (SELECT FROM pg_constraint c JOIN relation r ON r.oid = c.conrelid WHERE c.oid = d.objoid))
	UNION ALL
	SELECT 'function ' || p.oid::regprocedure, pg_get_functiondef(p.oid)
	FROM routine p WHERE p.prokind IN ('f', 'p')
	UNION ALL
	SELECT 'relation ' || r.oid::regclass, concat_ws(' ', r.relkind, r.relpersistence, r.relreplident,
		r.relrowsecurity, r.relforcerowsecurity, r.reloptions, r.relispartition,
		pg_get_partkeydef(r.oid), pg_get_expr(r.relpartbound, r.oid))
	FROM relation r
	UNION ALL
	SELECT 'column ' || a.attrelid::regclass || '.' || a.attname, concat_ws(' ', a.attnum,
		format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'NOT NULL' END, a.attidentity,
		a.attgenerated, a.attstorage, a.attcompression, a.attstattarget,
		-- some minor versions of the server keep a mark of their own there
		(SELECT array_agg(o) FROM unnest(a.attoptions) o WHERE o NOT LIKE 'pg\_attver=%'),
		'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid))
	FROM pg_attribute a
	JOIN relation r ON r.oid = a.attrelid
	LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
	WHERE a.attnum > 0 AND NOT a.attisdropped AND r.relkind <> 'S'
	UNION ALL
	SELECT 'dropped columns of ' || r.oid::regclass, count(*)::text
	FROM pg_attribute a JOIN relation r ON r.oid = a.attrelid
	WHERE a.attisdropped GROUP BY r.oid
	UNION ALL
	SELECT 'view ' || r.oid::regclass, pg_get_viewdef(r.oid)
	FROM relation r WHERE r.relkind IN ('v', 'm')
	UNION ALL
	SELECT 'constraint ' || c.conname || ' on ' || c.conrelid::regclass, pg_get_constraintdef(c.oid) || ' ' || c.convalidated
	FROM pg_constraint c JOIN relation r ON r.oid = c.conrelid
	UNION ALL
	SELECT 'constraint ' || c.conname || ' on ' || c.contypid::regtype, pg_get_constraintdef(c.oid)
	FROM pg_constraint c JOIN member m ON m.classid = 'pg_type'::regclass AND m.objid = c.contypid
	UNION ALL
	SELECT 'index ' || i.indexrelid::regclass, pg_get_indexdef(i.indexrelid) || ' ' || i.indisvalid || ' ' || c.reloptions::text
	FROM pg_index i JOIN relation r ON r.oid = i.indrelid
	JOIN pg_class c ON c.oid = i.indexrelid
	UNION ALL
	SELECT 'trigger ' || t.tgname || ' on ' || t.tgrelid::regclass, pg_get_triggerdef(t.oid) || ' ' || t.tgenabled::text
	FROM pg_trigger t JOIN relation r ON r.oid = t.tgrelid WHERE NOT t.tgisinternal
	UNION ALL
	SELECT 'event trigger ' || t.evtname, concat_ws(' ', t.evtevent, t.evtfoid::regprocedure, t.evtenabled, t.evttags)
	FROM pg_event_trigger t JOIN member m ON m.classid = 'pg_event_trigger'::regclass AND m.objid = t.oid
	UNION ALL
	SELECT 'rule ' || w.rulename || ' on ' || w.ev_class::regclass, pg_get_ruledef(w.oid) || ' ' || w.ev_enabled::text
	FROM pg_rewrite w JOIN relation r ON r.oid = w.ev_class WHERE r.relkind <> 'v'
	UNION ALL
	SELECT 'policy ' || p.polname || ' on ' || p.polrelid::regclass, concat_ws(' ', p.polcmd, p.polpermissive,
		p.polroles::regrole[], pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
	FROM pg_policy p JOIN relation r ON r.oid = p.polrelid
	UNION ALL
	SELECT 'type ' || t.oid::regtype, concat_ws(' ', t.typtype, t.typlen, t.typbyval, t.typalign, t.typstorage,
		t.typinput, t.typoutput, t.typreceive, t.typsend, t.typcategory, t.typnotnull, t.typdefault,
		(SELECT string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid))
	FROM pg_type t JOIN member m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
	UNION ALL
	SELECT 'cast ' || c.castsource::regtype || ' as ' || c.casttarget::regtype, concat_ws(' ', c.castfunc::regprocedure, c.castcontext, c.castmethod)
	FROM pg_cast c JOIN member m ON m.classid = 'pg_cast'::regclass AND m.objid = c.oid
	UNION ALL
	SELECT 'sequence ' || s.seqrelid::regclass, concat_ws(' ', s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqmax, s.seqmin, s.seqcache, s.seqcycle)
	FROM pg_sequence s JOIN relation r ON r.oid = s.seqrelid
	UNION ALL
	SELECT 'rights on ' || what, string_agg(acl::text, ' ' ORDER BY acl::text)
	FROM (
		SELECT r.oid::regclass::text, unnest(coalesce(r.relacl, acldefault((CASE r.relkind WHEN 'S' THEN 's' ELSE 'r' END)::"char", r.relowner))) FROM relation r
		UNION ALL
		SELECT r.oid::regclass || '.' || a.attname, unnest(a.attacl) FROM pg_attribute a JOIN relation r ON r.oid = a.attrelid
		UNION ALL
		SELECT p.oid::regprocedure::text, unnest(coalesce(p.proacl, acldefault('f', p.proowner))) FROM routine p
		UNION ALL
		SELECT t.oid::regtype::text, unnest(coalesce(t.typacl, acldefault('T', t.typowner)))
		FROM pg_type t JOIN member m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
		UNION ALL
		SELECT 'schema ' || n.nspname, unnest(coalesce(n.nspacl, acldefault('n', n.nspowner)))
		FROM pg_namespace n
		WHERE n.oid IN (SELECT e.extnamespace FROM pg_extension e WHERE e.extname = 'dealix_exec')
			OR EXISTS (SELECT FROM member m WHERE m.classid = 'pg_namespace'::regclass AND m.objid = n.oid)) acls (what, acl)
	GROUP BY what
	UNION ALL
	SELECT 'dumped ' || c.relation::regclass, c.condition
	FROM pg_extension e, unnest(e.extconfig, e.extcondition) c (relation, condition)
	WHERE e.extname = 'dealix_exec'
	UNION ALL
	SELECT 'the extension', concat_ws(' ', e.extversion, e.extrelocatable, e.extnamespace::regnamespace)
	FROM pg_extension e WHERE e.extname = 'dealix_exec'
)
SELECT what || ': ' || regexp_replace(coalesce(body, ''), '\s+', ' ', 'g')
FROM object
ORDER BY 1;
