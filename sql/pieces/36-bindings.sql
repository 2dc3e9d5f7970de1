-- Bindings: what a resource of another system stands for here.

CREATE FUNCTION dealix.bind(uri text, target text) RETURNS void
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dealix_bind';
COMMENT ON FUNCTION dealix.bind(text, text) IS
'Says what a resource URI of another system, an ARN of AWS for example, stands for here: sql:schema.function, activity:name, workflow:name and so on. Takes effect for workflows that the caller, or a member of its role, publishes from now on; a published version keeps the bindings that it was published with. Bindings of the extension''s owner count for everybody who has none of his own. Errors: 22023 when one of the two is no such URI.';

CREATE FUNCTION dealix.unbind(uri text) RETURNS boolean
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dealix_unbind';
COMMENT ON FUNCTION dealix.unbind(text) IS
'Removes the caller''s binding of a resource URI. Published versions keep theirs. Returns false when there was none.';

CREATE VIEW dealix.bindings WITH (security_barrier) AS
SELECT b.uri, b.target, b.author::regrole AS author, b.created_at::timestamptz(0) AS created_at
FROM dealix.binding b;
COMMENT ON VIEW dealix.bindings IS 'What resource URIs of other systems stand for, and who said so. What a version was published with stands in dealix.workflows.';
