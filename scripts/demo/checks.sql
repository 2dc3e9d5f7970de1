-- One row a promise: what it is, and how often it was broken (0 = it holds).
-- :deals, :transfers and :balance are set by the caller.
WITH deal_run AS MATERIALIZED (
	SELECT * FROM demo.deal_outcome
), deal_effect AS (
	SELECT d.deal_id, d.status,
		(SELECT count(*) FROM demo.signature_request r WHERE r.deal_id = d.deal_id) AS requests,
		(SELECT sum(voided) FROM demo.signature_request r WHERE r.deal_id = d.deal_id) AS voided,
		coalesce(c.events, 0) AS events, coalesce(n.notices, 0) AS notices, n.about
	FROM demo.deal d
	LEFT JOIN (SELECT deal_id, count(*) AS events FROM demo.crm_event GROUP BY 1) c USING (deal_id)
	LEFT JOIN (SELECT deal_id, count(*) AS notices, min(about) AS about
			   FROM demo.notice GROUP BY 1) n USING (deal_id)
), transfer_run AS (
	SELECT (input ->> 'transfer_id')::int AS transfer_id, status, error
	FROM dealix.run_details WHERE workflow = 'transfer'
), movement AS (
	SELECT tid AS transfer_id,
		string_agg(rtrim(filler), ', ' ORDER BY rtrim(filler)) AS movements
	FROM pgbench_history GROUP BY tid
)
SELECT 1, 'every deal has one run, every transfer has one run',
	(SELECT abs(count(*) - :deals) + abs(count(DISTINCT deal_id) - :deals) FROM deal_run)
	+ (SELECT abs(count(*) - :transfers) + abs(count(DISTINCT transfer_id) - :transfers) FROM transfer_run)
UNION ALL
SELECT 2, 'every run has come to its end',
	(SELECT count(*) FROM dealix.run_details
	 WHERE status NOT IN ('SUCCEEDED', 'FAILED', 'TIMED_OUT', 'CANCELLED', 'TERMINATED'))
UNION ALL
SELECT 3, 'deals signed in time are closed: one request, one CRM event, nothing undone',
	(SELECT count(*) FROM deal_effect e LEFT JOIN deal_run r USING (deal_id)
	 WHERE (r.answer = 'signed' OR (r.answer = 'under way' AND r.ended = 'signed'))
		AND (r.status, e.status, e.requests, e.voided, e.events, e.notices)
			IS DISTINCT FROM ('SUCCEEDED', 'closed', 1, 0, 1, 0))
UNION ALL
SELECT 4, 'deals without an answer in time: request voided once, one notice, not closed',
	(SELECT count(*) FROM deal_effect e LEFT JOIN deal_run r USING (deal_id)
	 WHERE (r.answer = 'no answer' OR (r.answer = 'under way' AND r.ended NOT IN ('signed', 'declined')) OR r.answer IS NULL OR r.early)
		AND (r.status, r.error, e.status, e.requests, e.voided, e.events, e.notices, e.about, coalesce(r.early, false))
			IS DISTINCT FROM ('FAILED', 'NotSigned', 'open', 1, 1, 0, 1, 'not signed in time', false))
UNION ALL
SELECT 5, 'deals declined in time: request voided once, one notice, not closed',
	(SELECT count(*) FROM deal_effect e LEFT JOIN deal_run r USING (deal_id)
	 WHERE (r.answer = 'declined' OR (r.answer = 'under way' AND r.ended = 'declined'))
		AND (r.status, r.error, e.status, e.requests, e.voided, e.events, e.notices, e.about)
			IS DISTINCT FROM ('FAILED', 'Declined', 'open', 1, 1, 0, 1, 'declined'))
UNION ALL
SELECT 6, 'good transfers: debit, suspend, release, credit, once each',
	(SELECT count(*) FROM generate_series(1, :transfers) AS t (transfer_id)
	 LEFT JOIN transfer_run r USING (transfer_id) LEFT JOIN movement m USING (transfer_id)
	 WHERE transfer_id % 10 <> 0
		AND (r.status, m.movements) IS DISTINCT FROM
			('SUCCEEDED', 'credit, debit, release, suspend'))
UNION ALL
SELECT 7, 'transfers to closed accounts: debit, suspend, and both undone, once each',
	(SELECT count(*) FROM generate_series(1, :transfers) AS t (transfer_id)
	 LEFT JOIN transfer_run r USING (transfer_id) LEFT JOIN movement m USING (transfer_id)
	 WHERE transfer_id % 10 = 0
		AND (r.status, r.error, m.movements) IS DISTINCT FROM
			('FAILED', 'AccountClosed', 'debit, suspend, undo debit, undo suspend'))
UNION ALL
SELECT 8, 'sum(abalance) is what it was, and nothing is left in suspense',
	(SELECT abs(sum(abalance) - (:balance)) FROM pgbench_accounts)
	+ (SELECT count(*) FROM pgbench_accounts WHERE aid > 95000 AND abalance <> 0)
UNION ALL
SELECT 9, 'dealix.stuck() is empty, and no run is an incident',
	(SELECT count(*) FROM dealix.stuck()) + (SELECT count(*) FROM dealix.incident_details)
ORDER BY 1;
