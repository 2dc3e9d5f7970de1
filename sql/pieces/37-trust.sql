-- Whose workflows a role executes.

CREATE FUNCTION dealix.trust_author(author regrole) RETURNS boolean
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dealix_trust_author';
COMMENT ON FUNCTION dealix.trust_author(regrole) IS
'From now on the current user, and roles that are members of it, execute what this role publishes, with all of their rights. By default a role executes its own workflows and those of roles that it is a member of, of superusers and of the extension''s owner. Returns false when it was so before.';

CREATE FUNCTION dealix.distrust_author(author regrole) RETURNS boolean
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dealix_distrust_author';
COMMENT ON FUNCTION dealix.distrust_author(regrole) IS
'Takes dealix.trust_author back: the current user starts no more runs of this role''s workflows. Runs that go on are not stopped, but start no children of its workflows. Returns false when it was not trusted by name.';

CREATE VIEW dealix.trusted_authors WITH (security_barrier) AS
SELECT t.truster::regrole AS truster, t.author::regrole AS author, t.since::timestamptz(0) AS since
FROM dealix.trust t
WHERE dealix_internal.run_visible(t.truster);
COMMENT ON VIEW dealix.trusted_authors IS 'Whose workflows roles execute because they have said so.';
