-- For people who decide.

CREATE FUNCTION dealix.approve(id uuid, comment text DEFAULT NULL, hash text DEFAULT NULL, on_behalf_of text DEFAULT NULL) RETURNS text
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_approve';
COMMENT ON FUNCTION dealix.approve(uuid, text, text, text) IS
'Agrees with what dealix.approvals shows under id, as the person whose role has logged in; returns APPROVED, or PENDING while more persons have to agree. on_behalf_of: the person for whom a role with the access gateway decides, and has to say so. hash: what you have seen, necessary once the payload was amended; if it was amended since, nothing is decided. The decision counts if it is committed before expires_at. Errors: P0002 there is no such approval for you, 42501 it is your own request, or it is not you who calls this (SET ROLE, SECURITY DEFINER, a step, a trigger, a background process), DX004 it is decided, expired, withdrawn or about another payload.';

CREATE FUNCTION dealix.edit(id uuid, amended jsonb, comment text DEFAULT NULL, hash text DEFAULT NULL, on_behalf_of text DEFAULT NULL) RETURNS text
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_edit';
COMMENT ON FUNCTION dealix.edit(uuid, jsonb, text, text, text) IS
'Agrees with an amended payload in place of the original, which is kept. Who has agreed before has to agree with the new one. Errors as dealix.approve; 22023 when it does not have the shape that the state asks for.';

CREATE FUNCTION dealix.reject(id uuid, reason text, hash text DEFAULT NULL, on_behalf_of text DEFAULT NULL) RETURNS text
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_reject';
COMMENT ON FUNCTION dealix.reject(uuid, text, text, text) IS
'Refuses, with a reason, for all: the state fails with Approval.Rejected, without Retry. Errors as dealix.approve.';

CREATE FUNCTION dealix.decide(id uuid, decision jsonb, on_behalf_of text DEFAULT NULL) RETURNS text
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_decide';
COMMENT ON FUNCTION dealix.decide(uuid, jsonb, text) IS
'approve, edit or reject in the form that agent frameworks send: {"type": "approve"}, {"type": "edit", "edited_action": {...}} or {"type": "reject", "message": "..."}; also with "hash".';

CREATE FUNCTION dealix_internal.intent_status_name(status smallint) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dealix_intent_status';
COMMENT ON FUNCTION dealix_internal.intent_status_name(smallint) IS
'The name of the status of an approval or effect: PENDING for 1 and so on.';

CREATE VIEW dealix_internal.delegator WITH (security_barrier) AS
SELECT d.from_role FROM dealix.delegation d
WHERE d.to_role::regrole = quote_ident(current_user)::regrole AND d.revoked_at IS NULL AND d.until_at > clock_timestamp();
COMMENT ON VIEW dealix_internal.delegator IS 'The roles for which the current user may decide, because they have delegated it.';

CREATE FUNCTION dealix_internal.may_decide(approvers text[], all_of jsonb) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT has_function_privilege('dealix.approve(uuid, text, text, text)', 'EXECUTE')
		AND (approvers IS NULL OR has_function_privilege('dealix_internal.gateway()', 'EXECUTE')
			OR EXISTS (SELECT FROM (SELECT unnest(approvers) UNION ALL SELECT jsonb_array_elements_text(g) FROM jsonb_array_elements(all_of) g) a (name)
				WHERE to_regrole(quote_ident(name)) IS NOT NULL AND (pg_has_role(to_regrole(quote_ident(name)), 'USAGE')
					OR EXISTS (SELECT FROM dealix_internal.delegator d WHERE pg_has_role(d.from_role::oid, to_regrole(quote_ident(name)), 'USAGE')))))
$$;
COMMENT ON FUNCTION dealix_internal.may_decide(text[], jsonb) IS
'Whether the current user is one of these approvers (null: everybody with the access approver) or of one of these groups, or decides for one who is; a gateway may be asked for anybody.';

CREATE VIEW dealix.approval_details WITH (security_barrier) AS
SELECT i.intent_id AS id, i.name,
	CASE WHEN i.status = 1 AND i.expires_at <= clock_timestamp() THEN 'EXPIRED'
		ELSE dealix_internal.intent_status_name(i.status) END AS status, i.workflow, i.run_id, i.state,
	i.requester::regrole AS requester, i.requesters::regrole[] AS requesters, i.payload, i.amended, i.version, encode(i.hash, 'hex') AS hash,
	i.approvers, i.quorum,
	(SELECT count(*) FROM dealix.intent_decision d
	 WHERE d.intent_id = i.intent_id AND d.version = i.version
		AND d.decision <> 'reject')::int AS agreed,
	(SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('by', d.approver::text, 'person', d.person, 'for', d.for_person)) || jsonb_build_object('decision', d.decision,
		'comment', d.comment, 'at', d.at, 'version', d.version) ORDER BY d.at)
	 FROM dealix.intent_decision d WHERE d.intent_id = i.intent_id) AS decisions,
	i.reason, i.correlation_id, i.created_at, i.expires_at, i.decided_at,
	i.due_at, clock_timestamp() - i.created_at AS age, i.class::text AS class, i.tenant, i.summary, i.evidence, i.all_of, i.escalated, i.reassigned
FROM dealix.intent i
WHERE dealix_internal.run_visible(i.owner) OR dealix_internal.may_decide(i.approvers, i.all_of);
COMMENT ON VIEW dealix.approval_details IS
'What waits or has waited for a decision, for those who may decide and those who may see the run. hash is of payload and version. reassigned: who was put in place of whom.';
