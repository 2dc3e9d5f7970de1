-- dealix_exec: durable execution inside the database.
-- Made from sql/pieces in the order of sql/order; do not edit the result.

\echo Use "CREATE EXTENSION dealix_exec" to load this file. \quit

-- A schema that somebody else has prepared could hold functions that would be
-- taken for ours; one that somebody else owns could get them later.
DO $$
DECLARE
	what text;
BEGIN
	IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE oid OPERATOR(pg_catalog.=) 'dealix'::pg_catalog.regnamespace
		AND nspowner OPERATOR(pg_catalog.=) (SELECT oid FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) current_user))
	THEN
		RAISE EXCEPTION 'schema "dealix" belongs to another role'
			USING ERRCODE = 'duplicate_schema',
				HINT = 'Drop or rename it, then run CREATE EXTENSION dealix_exec again.';
	END IF;
	-- Whatever is in the schema or says something about it: objects of any kind,
	-- default privileges, publications.  (This extension is to be in it.)
	SELECT pg_catalog.pg_describe_object(classid, objid, objsubid) INTO what FROM pg_catalog.pg_depend
	WHERE refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass
		AND refobjid OPERATOR(pg_catalog.=) 'dealix'::pg_catalog.regnamespace
		AND NOT (classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
			AND objid OPERATOR(pg_catalog.=) (SELECT oid FROM pg_catalog.pg_extension WHERE extname OPERATOR(pg_catalog.=) 'dealix_exec'))
	LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'schema "dealix" is not empty'
			USING ERRCODE = 'duplicate_schema', DETAIL = pg_catalog.format('It has %s.', what),
				HINT = 'Drop or rename it, then run CREATE EXTENSION dealix_exec again.';
	END IF;
	-- Who may create something in it could do so later.
	SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::pg_catalog.regrole::text END INTO what
	FROM pg_catalog.pg_namespace n, LATERAL pg_catalog.aclexplode(n.nspacl) a
	WHERE n.oid OPERATOR(pg_catalog.=) 'dealix'::pg_catalog.regnamespace AND a.grantee OPERATOR(pg_catalog.<>) n.nspowner
		AND a.privilege_type OPERATOR(pg_catalog.=) 'CREATE' LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'other roles than its owner may create objects in schema "dealix"'
			USING ERRCODE = 'duplicate_schema', DETAIL = pg_catalog.format('%s may.', what),
				HINT = 'Drop it, or REVOKE the right (see also ALTER DEFAULT PRIVILEGES), then run CREATE EXTENSION dealix_exec again.';
	END IF;
	IF EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname OPERATOR(pg_catalog.=) 'dealix_internal') THEN
		RAISE EXCEPTION 'schema "dealix_internal" already exists'
			USING ERRCODE = 'duplicate_schema',
				HINT = 'Drop or rename it, then run CREATE EXTENSION dealix_exec again.';
	END IF;
END
$$;

-- What nobody calls by hand: what views, policies and triggers are made of, and
-- rights that are functions.
CREATE SCHEMA dealix_internal;
COMMENT ON SCHEMA dealix_internal IS 'What dealix_exec is made of; nobody calls it by hand, and it changes with any version.';

-- To use them is what dealix.grant_access() gave before a DROP EXTENSION, and
-- what default privileges may have given.
DO $$
DECLARE
	given record;
BEGIN
	FOR given IN SELECT n.nspname, a.grantee::pg_catalog.regrole AS who
		FROM pg_catalog.pg_namespace n, LATERAL pg_catalog.aclexplode(n.nspacl) a
		WHERE n.oid OPERATOR(pg_catalog.=) ANY (ARRAY['dealix', 'dealix_internal']::pg_catalog.regnamespace[])
			AND a.grantee OPERATOR(pg_catalog.<>) n.nspowner AND a.grantee OPERATOR(pg_catalog.<>) 0
	LOOP
		EXECUTE pg_catalog.format('REVOKE ALL ON SCHEMA %s FROM %s', given.nspname, given.who);
	END LOOP;
END
$$;
REVOKE ALL ON SCHEMA dealix, dealix_internal FROM PUBLIC;
