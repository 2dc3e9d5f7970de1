-- A role in a table: its OID, and in a dump its name.  A name that is missing
-- where the dump is restored, or a number that is left of a role that was
-- dropped, becomes nobody, and not whoever has that number there.

CREATE TYPE dealix.role;
CREATE FUNCTION dealix_internal.role_in(cstring) RETURNS dealix.role
LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dealix_role_in';
COMMENT ON FUNCTION dealix_internal.role_in(cstring) IS
'Input of the type dealix.role: the role of this name; a name that no role has is nobody, and no error.';
CREATE FUNCTION dealix_internal.role_out(dealix.role) RETURNS cstring
LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dealix_role_out';
COMMENT ON FUNCTION dealix_internal.role_out(dealix.role) IS
'Output of the type dealix.role: the role''s name, or pg_dropped_ and a number where it does not exist.';
CREATE TYPE dealix.role (INPUT = dealix_internal.role_in, OUTPUT = dealix_internal.role_out, LIKE = oid);
COMMENT ON TYPE dealix.role IS 'A role, in dumps by its name; unlike regrole it takes in names that no role has.';
CREATE CAST (dealix.role AS oid) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (dealix.role AS regrole) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (oid AS dealix.role) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE CAST (regrole AS dealix.role) WITHOUT FUNCTION AS ASSIGNMENT;
REVOKE ALL ON TYPE dealix.role FROM PUBLIC;
