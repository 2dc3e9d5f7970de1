-- pg_dump carries definitions, live runs and history.  What the limits per owner
-- are made of stays behind: it names roles by numbers that are others where the
-- dump is restored, and dealix.resume_engine() makes it anew.

DO $$
DECLARE
	relation regclass;
BEGIN
	FOR relation IN SELECT c.oid FROM pg_class c
		WHERE c.relnamespace = 'dealix'::regnamespace
			AND c.relkind = ANY (ARRAY['r', 'S']::"char"[])
	LOOP
		PERFORM pg_extension_config_dump(relation, CASE
			WHEN relation = ANY (ARRAY['dealix.workflow_slot', 'dealix.activity_slot', 'dealix.activity_rate']::regclass[])
				THEN 'WHERE owner OPERATOR(pg_catalog.=) 0' ELSE '' END);
	END LOOP;
END
$$;

REVOKE ALL ON ALL TABLES IN SCHEMA dealix, dealix_internal FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA dealix, dealix_internal FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA dealix, dealix_internal FROM PUBLIC;

-- Default privileges of whoever creates the extension may have given others
-- rights on all this.
DO $$
DECLARE
	given record;
BEGIN
	FOR given IN
		SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind, c.oid::regclass::text AS name, a.grantee
		FROM pg_class c, LATERAL aclexplode(c.relacl) a
		WHERE c.relnamespace = ANY (ARRAY['dealix', 'dealix_internal']::regnamespace[])
			AND c.relkind = ANY (ARRAY['r', 'S', 'v']::"char"[])
			AND a.grantee <> c.relowner AND a.grantee <> 0
		UNION
		SELECT 'ROUTINE', p.oid::regprocedure::text, a.grantee
		FROM pg_proc p, LATERAL aclexplode(p.proacl) a
		WHERE p.pronamespace = ANY (ARRAY['dealix', 'dealix_internal']::regnamespace[])
			AND a.grantee <> p.proowner AND a.grantee <> 0
	LOOP
		EXECUTE format('REVOKE ALL ON %s %s FROM %s', given.kind, given.name, given.grantee::regrole);
	END LOOP;
END
$$;
