-- pg_dump carries definitions, live runs and history.

DO $$
DECLARE
	relation regclass;
BEGIN
	FOR relation IN SELECT c.oid FROM pg_catalog.pg_class c
		WHERE c.relnamespace OPERATOR(pg_catalog.=) 'dealix'::pg_catalog.regnamespace
			AND c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r', 'S']::"char"[])
	LOOP
		PERFORM pg_catalog.pg_extension_config_dump(relation, '');
	END LOOP;
END
$$;

REVOKE ALL ON ALL TABLES IN SCHEMA dealix FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA dealix FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA dealix FROM PUBLIC;
