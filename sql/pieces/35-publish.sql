CREATE FUNCTION dealix.publish(name text, definition jsonb) RETURNS int
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_publish';
COMMENT ON FUNCTION dealix.publish(text, jsonb) IS
'Stores a definition as the next version of a workflow and returns the version. The same definition again gives the latest version. A definition with problems is refused whole (22023); the detail lists every problem with its JSON pointer. New runs use the latest version; runs that go on keep theirs.';
