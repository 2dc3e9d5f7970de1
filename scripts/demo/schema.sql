-- The business side of the demo: tables and plain functions, which know
-- nothing of workflows.  None of the tables that effects are counted in
-- (demo.signature_request, demo.crm_event, demo.notice, pgbench_history) has a
-- unique index: an effect that happens twice is two rows.

CREATE SCHEMA demo;

CREATE TABLE demo.deal (
	deal_id int PRIMARY KEY,
	customer text NOT NULL,
	amount numeric(12,2) NOT NULL,
	status text NOT NULL DEFAULT 'open'
);

CREATE TABLE demo.signature_request (
	deal_id int NOT NULL,
	run_id uuid NOT NULL,
	status text NOT NULL DEFAULT 'open',
	voided int NOT NULL DEFAULT 0,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ON demo.signature_request (deal_id);
CREATE INDEX ON demo.signature_request (created_at) WHERE status = 'open';

CREATE TABLE demo.crm_event (
	deal_id int NOT NULL,
	event text NOT NULL,
	at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE demo.notice (
	deal_id int NOT NULL,
	about text NOT NULL
);

-- What the provider has sent, and when it knew that it had been accepted.
CREATE TABLE demo.answer (
	deal_id int NOT NULL,
	decision text NOT NULL,
	accepted boolean NOT NULL,
	acknowledged_at timestamptz
);
CREATE INDEX ON demo.answer (deal_id);

CREATE TABLE demo.closed_account (
	aid int PRIMARY KEY
);

-- ---------- signature commitments ----------

CREATE FUNCTION demo.check_terms(deal_id int) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	deal demo.deal;
BEGIN
	SELECT * INTO deal FROM demo.deal d WHERE d.deal_id = check_terms.deal_id;
	IF NOT FOUND THEN
		PERFORM dealix.raise('NoSuchDeal', format('there is no deal %s', deal_id));
	END IF;
	IF deal.amount <= 0 THEN
		PERFORM dealix.raise('BadTerms', format('the amount of deal %s is %s', deal_id, deal.amount));
	END IF;
	RETURN jsonb_build_object('customer', deal.customer, 'amount', deal.amount);
END
$$;

CREATE FUNCTION demo.create_request(deal_id int, run_id uuid) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
	INSERT INTO demo.signature_request (deal_id, run_id) VALUES (deal_id, run_id)
$$;

CREATE FUNCTION demo.void_request(deal_id int) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
	UPDATE demo.signature_request r SET status = 'voided', voided = voided + 1
	WHERE r.deal_id = void_request.deal_id
$$;

CREATE FUNCTION demo.notify(deal_id int, about text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
	INSERT INTO demo.notice VALUES (deal_id, about)
$$;

-- The CRM is busy now and then, as such systems are.
CREATE FUNCTION demo.record_in_crm(deal_id int, event text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	INSERT INTO demo.crm_event VALUES (deal_id, event);
	IF random() < 0.03 THEN
		PERFORM dealix.raise('CrmBusy', 'try again in a moment');
	END IF;
END
$$;

CREATE FUNCTION demo.close_deal(deal_id int) RETURNS text
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
	UPDATE demo.signature_request r SET status = 'signed' WHERE r.deal_id = close_deal.deal_id;
	UPDATE demo.deal d SET status = 'closed' WHERE d.deal_id = close_deal.deal_id
	RETURNING status
$$;

-- ---------- transfers between accounts of pgbench ----------

-- Every movement leaves a row in pgbench_history.
CREATE FUNCTION demo.move(transfer_id int, what text, account int, amount int) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	UPDATE public.pgbench_accounts SET abalance = abalance + amount WHERE aid = account;
	IF NOT FOUND THEN
		PERFORM dealix.raise('NoSuchAccount', format('there is no account %s', account));
	END IF;
	INSERT INTO public.pgbench_history (tid, bid, aid, delta, mtime, filler)
	VALUES (transfer_id, 1, account, amount, now(), what);
END
$$;

CREATE FUNCTION demo.suspense_account(transfer_id int) RETURNS int
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT 95000 + 1 + (transfer_id - 1) % 5000
$$;

CREATE FUNCTION demo.debit(transfer_id int, account int, amount int) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
	SELECT demo.move(transfer_id, 'debit', account, - amount)
$$;

CREATE FUNCTION demo.undo_debit(transfer_id int, account int, amount int) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
	SELECT demo.move(transfer_id, 'undo debit', account, amount)
$$;

CREATE FUNCTION demo.suspend(transfer_id int, amount int) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
	SELECT demo.move(transfer_id, 'suspend', demo.suspense_account(transfer_id), amount)
$$;

CREATE FUNCTION demo.undo_suspend(transfer_id int, amount int) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
	SELECT demo.move(transfer_id, 'undo suspend', demo.suspense_account(transfer_id), - amount)
$$;

-- The money leaves suspense before the account turns out to be closed: a step
-- that fails leaves nothing behind.
CREATE FUNCTION demo.credit(transfer_id int, account int, amount int) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM demo.move(transfer_id, 'release', demo.suspense_account(transfer_id), - amount);
	PERFORM demo.move(transfer_id, 'credit', account, amount);
	IF EXISTS (SELECT FROM demo.closed_account WHERE aid = account) THEN
		PERFORM dealix.raise('AccountClosed', format('account %s is closed', account));
	END IF;
END
$$;

-- ---------- what the clients send ----------

CREATE FUNCTION demo.transfer_input(transfer_id int) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT jsonb_build_object(
		'transfer_id', transfer_id,
		'from', 1 + abs(hashint4(transfer_id)::bigint) % 45000,
		'to', CASE WHEN transfer_id % 10 = 0
			THEN 90001 + transfer_id % 4000
			ELSE 45001 + abs(hashint4(- transfer_id)::bigint) % 45000 END,
		'amount', 1 + transfer_id % 100)
$$;

-- What the signer of a deal does: the provider knows it, the workflow does not.
CREATE FUNCTION demo.signer(deal_id int) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE deal_id % 20
		WHEN 7 THEN 'signs late'
		WHEN 13 THEN 'never answers'
		WHEN 17 THEN 'declines'
		ELSE 'signs'
	END
$$;

-- What each deal has to come to, by recorded times: an answer that was
-- acknowledged before the run's time was up counts; without any answer the deal
-- is not signed; an answer that was under way when the time was up may have come
-- in time or not, as the history says.  ended: what the run came to.
CREATE VIEW demo.deal_outcome AS
WITH answer AS (
	SELECT deal_id, min(decision) AS decision, min(acknowledged_at) AS at FROM demo.answer GROUP BY deal_id
), waited AS (
	SELECT h.run_id, (h.payload ->> 'until')::timestamptz AS until FROM dealix.history_details h
	WHERE h.event = 'wait_started' AND h.state = 'AwaitSignature'
), timed_out AS (
	SELECT h.run_id, h.at FROM dealix.history_details h
	WHERE h.event = 'step_failed' AND h.state = 'AwaitSignature'
)
SELECT (r.input ->> 'deal_id')::int AS deal_id, r.status, r.error,
	CASE WHEN a.at < w.until THEN a.decision WHEN a.deal_id IS NULL THEN 'no answer' ELSE 'under way' END AS answer,
	CASE WHEN r.status = 'SUCCEEDED' THEN 'signed' WHEN r.error = 'Declined' THEN 'declined'
		WHEN r.error = 'NotSigned' THEN 'no answer' ELSE 'neither' END AS ended,
	t.at < w.until AS early
FROM dealix.run_details r
LEFT JOIN answer a ON a.deal_id = (r.input ->> 'deal_id')::int
LEFT JOIN waited w ON w.run_id = r.run_id
LEFT JOIN timed_out t ON t.run_id = r.run_id
WHERE r.workflow = 'sign';
