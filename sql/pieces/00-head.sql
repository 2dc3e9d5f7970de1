-- dealix_exec: durable execution inside the database.
-- Made from sql/pieces in the order of sql/order; do not edit the result.

\echo Use "CREATE EXTENSION dealix_exec" to load this file. \quit

-- Names and operators mean PostgreSQL's own, whatever there is besides.
SET LOCAL search_path = pg_catalog, pg_temp;

-- A schema that somebody else has prepared could hold functions that would be
-- taken for ours; one that somebody else owns could get them later.
DO $$
DECLARE
	what text;
BEGIN
	IF NOT EXISTS (SELECT FROM pg_namespace WHERE oid = 'dealix'::regnamespace
		AND nspowner = (SELECT oid FROM pg_roles WHERE rolname = current_user))
	THEN
		RAISE EXCEPTION 'schema "dealix" belongs to another role'
			USING ERRCODE = 'duplicate_schema',
				HINT = 'Drop or rename it, then run CREATE EXTENSION dealix_exec again.';
	END IF;
	-- Whatever is in the schema or says something about it: objects of any kind,
	-- default privileges, publications.  (This extension is to be in it.)
	SELECT pg_describe_object(classid, objid, objsubid) INTO what FROM pg_depend
	WHERE refclassid = 'pg_catalog.pg_namespace'::regclass
		AND refobjid = 'dealix'::regnamespace
		AND NOT (classid = 'pg_catalog.pg_extension'::regclass
			AND objid = (SELECT oid FROM pg_extension WHERE extname = 'dealix_exec'))
	LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'schema "dealix" is not empty'
			USING ERRCODE = 'duplicate_schema', DETAIL = format('It has %s.', what),
				HINT = 'Drop or rename it, then run CREATE EXTENSION dealix_exec again.';
	END IF;
	-- Who may create something in it could do so later.
	SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END INTO what
	FROM pg_namespace n, LATERAL aclexplode(n.nspacl) a
	WHERE n.oid = 'dealix'::regnamespace AND a.grantee <> n.nspowner
		AND a.privilege_type = 'CREATE' LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'other roles than its owner may create objects in schema "dealix"'
			USING ERRCODE = 'duplicate_schema', DETAIL = format('%s may.', what),
				HINT = 'Drop it, or REVOKE the right (see also ALTER DEFAULT PRIVILEGES), then run CREATE EXTENSION dealix_exec again.';
	END IF;
	IF EXISTS (SELECT FROM pg_namespace WHERE nspname = 'dealix_internal') THEN
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
	FOR given IN SELECT n.nspname, a.grantee::regrole AS who
		FROM pg_namespace n, LATERAL aclexplode(n.nspacl) a
		WHERE n.oid = ANY (ARRAY['dealix', 'dealix_internal']::regnamespace[])
			AND a.grantee <> n.nspowner AND a.grantee <> 0
	LOOP
		EXECUTE format('REVOKE ALL ON SCHEMA %s FROM %s', given.nspname, given.who);
	END LOOP;
END
$$;
REVOKE ALL ON SCHEMA dealix, dealix_internal FROM PUBLIC;
