-- For people who decide.

CREATE FUNCTION dealix.approve(id uuid, comment text DEFAULT NULL, hash text DEFAULT NULL) RETURNS text
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_approve';
COMMENT ON FUNCTION dealix.approve(uuid, text, text) IS
'Agrees with what dealix.approvals shows under id, as the role that has logged in; returns APPROVED, or PENDING while more roles have to agree. hash: what you have seen, necessary once the payload was amended; if it was amended since, nothing is decided. The decision counts if it is committed before expires_at. Errors: P0002 there is no such approval for you, 42501 it is your own request, or it is not you who calls this (SET ROLE, SECURITY DEFINER, a step, a trigger, a background process), DX004 it is decided, expired, withdrawn or about another payload.';

CREATE FUNCTION dealix.edit(id uuid, amended jsonb, comment text DEFAULT NULL, hash text DEFAULT NULL) RETURNS text
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_edit';
COMMENT ON FUNCTION dealix.edit(uuid, jsonb, text, text) IS
'Agrees with an amended payload in place of the original, which is kept. Who has agreed before has to agree with the new one. Errors as dealix.approve; 22023 when it does not have the shape that the state asks for.';

CREATE FUNCTION dealix.reject(id uuid, reason text, hash text DEFAULT NULL) RETURNS text
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_reject';
COMMENT ON FUNCTION dealix.reject(uuid, text, text) IS
'Refuses, with a reason, for all: the state fails with Approval.Rejected, without Retry. Errors as dealix.approve.';

CREATE FUNCTION dealix.decide(id uuid, decision jsonb) RETURNS text
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_decide';
COMMENT ON FUNCTION dealix.decide(uuid, jsonb) IS
'approve, edit or reject in the form that agent frameworks send: {"type": "approve"}, {"type": "edit", "edited_action": {...}} or {"type": "reject", "message": "..."}; also with "hash".';

CREATE FUNCTION dealix_internal.intent_status_name(status smallint) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dealix_intent_status';
COMMENT ON FUNCTION dealix_internal.intent_status_name(smallint) IS
'The name of an approval''s status: PENDING, APPROVED, REJECTED, EXPIRED or WITHDRAWN.';

CREATE FUNCTION dealix_internal.may_decide(approvers text[]) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT has_function_privilege('dealix.approve(uuid, text, text)', 'EXECUTE')
		AND (approvers IS NULL OR EXISTS (SELECT FROM unnest(approvers) a
			WHERE to_regrole(quote_ident(a)) IS NOT NULL AND pg_has_role(to_regrole(quote_ident(a)), 'USAGE')))
$$;
COMMENT ON FUNCTION dealix_internal.may_decide(text[]) IS
'Whether the current user is one of these approvers (null: everybody with the access approver).';

CREATE VIEW dealix.approval_details WITH (security_barrier) AS
SELECT i.intent_id AS id, i.name,
	CASE WHEN i.status = 1 AND i.expires_at <= clock_timestamp() THEN 'EXPIRED'
		ELSE dealix_internal.intent_status_name(i.status) END AS status, i.workflow, i.run_id, i.state,
	i.requester::regrole AS requester, i.requesters::regrole[] AS requesters, i.payload, i.amended, i.version, encode(i.hash, 'hex') AS hash,
	i.approvers, i.quorum,
	(SELECT count(*) FROM dealix.intent_decision d
	 WHERE d.intent_id = i.intent_id AND d.version = i.version
		AND d.decision <> 'reject')::int AS agreed,
	(SELECT jsonb_agg(jsonb_build_object('by', d.approver::text, 'decision', d.decision,
		'comment', d.comment, 'at', d.at, 'version', d.version) ORDER BY d.at)
	 FROM dealix.intent_decision d WHERE d.intent_id = i.intent_id) AS decisions,
	i.reason, i.correlation_id, i.created_at, i.expires_at, i.decided_at
FROM dealix.intent i
WHERE dealix_internal.run_visible(i.owner) OR dealix_internal.may_decide(i.approvers);
COMMENT ON VIEW dealix.approval_details IS
'What waits or has waited for a decision, for those who may decide and those who may see the run. hash is of payload and version.';
