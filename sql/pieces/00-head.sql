-- dealix_exec: durable execution inside the database.
-- Made from sql/pieces in the order of sql/order; do not edit the result.

\echo Use "CREATE EXTENSION dealix_exec" to load this file. \quit

-- A schema that somebody else has prepared could hold functions that would be
-- taken for ours; one that somebody else owns could get them later.
DO $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE oid OPERATOR(pg_catalog.=) 'dealix'::pg_catalog.regnamespace
		AND nspowner OPERATOR(pg_catalog.=) (SELECT oid FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) current_user))
	THEN
		RAISE EXCEPTION 'schema "dealix" belongs to another role'
			USING ERRCODE = 'duplicate_schema',
				HINT = 'Drop or rename it, then run CREATE EXTENSION dealix_exec again.';
	END IF;
	IF EXISTS (SELECT FROM pg_catalog.pg_proc WHERE pronamespace OPERATOR(pg_catalog.=) 'dealix'::pg_catalog.regnamespace)
		OR EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace OPERATOR(pg_catalog.=) 'dealix'::pg_catalog.regnamespace)
	THEN
		RAISE EXCEPTION 'schema "dealix" is not empty'
			USING ERRCODE = 'duplicate_schema',
				HINT = 'Drop or rename it, then run CREATE EXTENSION dealix_exec again.';
	END IF;
END
$$;

REVOKE ALL ON SCHEMA dealix FROM PUBLIC;
