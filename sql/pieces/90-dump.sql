-- pg_dump carries definitions, live runs and history.  What the limits per owner
-- are made of stays behind: it names roles by numbers that are others where the
-- dump is restored, and dealix.resume_engine() makes it anew.

DO $$
DECLARE
	relation regclass;
BEGIN
	FOR relation IN SELECT c.oid FROM pg_catalog.pg_class c
		WHERE c.relnamespace OPERATOR(pg_catalog.=) 'dealix'::pg_catalog.regnamespace
			AND c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r', 'S']::"char"[])
	LOOP
		PERFORM pg_catalog.pg_extension_config_dump(relation, CASE
			WHEN relation OPERATOR(pg_catalog.=) ANY (ARRAY['dealix.workflow_slot', 'dealix.activity_slot', 'dealix.activity_rate']::regclass[])
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
		SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind, c.oid::pg_catalog.regclass::text AS name, a.grantee
		FROM pg_catalog.pg_class c, LATERAL pg_catalog.aclexplode(c.relacl) a
		WHERE c.relnamespace OPERATOR(pg_catalog.=) ANY (ARRAY['dealix', 'dealix_internal']::pg_catalog.regnamespace[])
			AND c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r', 'S', 'v']::"char"[])
			AND a.grantee OPERATOR(pg_catalog.<>) c.relowner AND a.grantee OPERATOR(pg_catalog.<>) 0
		UNION
		SELECT 'ROUTINE', p.oid::pg_catalog.regprocedure::text, a.grantee
		FROM pg_catalog.pg_proc p, LATERAL pg_catalog.aclexplode(p.proacl) a
		WHERE p.pronamespace OPERATOR(pg_catalog.=) ANY (ARRAY['dealix', 'dealix_internal']::pg_catalog.regnamespace[])
			AND a.grantee OPERATOR(pg_catalog.<>) p.proowner AND a.grantee OPERATOR(pg_catalog.<>) 0
	LOOP
		EXECUTE pg_catalog.format('REVOKE ALL ON %s %s FROM %s', given.kind, given.name, given.grantee::pg_catalog.regrole);
	END LOOP;
END
$$;
