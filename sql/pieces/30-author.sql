-- Functions for authors of definitions.

CREATE FUNCTION dealix.validate(
	definition jsonb,
	strict boolean DEFAULT false,
	machine_type text DEFAULT 'STANDARD')
RETURNS TABLE (pointer text, code text, message text, hint text, severity text)
AS 'MODULE_PATHNAME', 'dealix_validate'
LANGUAGE C STABLE STRICT;

COMMENT ON FUNCTION dealix.validate(jsonb, boolean, text) IS
'Checks a workflow definition and returns one row for each problem, in document order: a JSON pointer, a code, what is wrong and what would be right, and its severity. A definition with an error is not published; one with warnings is, and they are told at publish. No rows: all is well. Nothing of the definition is executed. strict => true accepts the pure Amazon States Language only; machine_type => ''EXPRESS'' adds the rules that AWS has for that type.';

CREATE FUNCTION dealix.validate_text(
	definition text,
	strict boolean DEFAULT false,
	machine_type text DEFAULT 'STANDARD')
RETURNS TABLE (pointer text, code text, message text, hint text, severity text)
AS 'MODULE_PATHNAME', 'dealix_validate_text'
LANGUAGE C STABLE STRICT;

COMMENT ON FUNCTION dealix.validate_text(text, boolean, text) IS
'Checks the text of a workflow definition as dealix.validate does, and also what jsonb passes over in silence: a member that an object has more than once, of which only the last would count. A text that is no JSON is a problem, with its line and column, and not an error.';

CREATE FUNCTION dealix.test_state(
	definition jsonb,
	state text,
	input jsonb,
	mock jsonb DEFAULT NULL,
	context jsonb DEFAULT NULL,
	variables jsonb DEFAULT NULL)
RETURNS jsonb
AS 'MODULE_PATHNAME', 'dealix_test_state'
LANGUAGE C VOLATILE;

COMMENT ON FUNCTION dealix.test_state(jsonb, text, jsonb, jsonb, jsonb, jsonb) IS
'Runs one state of a definition by itself and stores nothing: to try out paths, templates, Choice rules, Retry and Catch. mock stands for what a Task, Parallel or Map would do: {"result": ...} or {"error": ..., "cause": ...}. SQL expressions of the state are executed, with the rights of the caller: do not try out what somebody else wrote; a superuser cannot (42501), unless dealix_exec.superuser_runs is on. Returns the status (SUCCEEDED, FAILED, RETRIABLE, CAUGHT_ERROR), the output, the next state, the variables, the error and its cause.';
