-- Functions for authors of definitions.

CREATE FUNCTION dealix.validate(
	definition jsonb,
	strict boolean DEFAULT false,
	machine_type text DEFAULT 'STANDARD')
RETURNS TABLE (pointer text, code text, message text, hint text)
AS 'MODULE_PATHNAME', 'dx_validate'
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED;

REVOKE ALL ON FUNCTION dealix.validate(jsonb, boolean, text) FROM PUBLIC;

COMMENT ON FUNCTION dealix.validate(jsonb, boolean, text) IS
'Checks a workflow definition and returns one row for each problem, in document order: a JSON pointer, a code, what is wrong and what would be right. No rows: the definition can be published. strict => true accepts the pure Amazon States Language only; machine_type => ''EXPRESS'' adds the rules that AWS has for that type.';
