-- Events: from outside to the runs that wait for them, and from runs to the
-- outside.

CREATE FUNCTION dealix.signal_with_start(workflow text, key text, name text, payload jsonb DEFAULT 'null',
	input jsonb DEFAULT '{}', signal_key text DEFAULT NULL, correlation_id text DEFAULT NULL,
	traceparent text DEFAULT NULL, priority int DEFAULT 0, durability text DEFAULT 'sync', version int DEFAULT NULL) RETURNS uuid
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_signal_with_start';
COMMENT ON FUNCTION dealix.signal_with_start(text, text, text, jsonb, jsonb, text, text, text, int, text, int) IS
'Signals the run of the workflow that has this key, and starts it with input if there is none. Returns its run_id. input counts only for a start. signal_key: as key of dealix.signal. Errors: DX006 when the run has ended.';

CREATE FUNCTION dealix.publish_event(name text, correlation_id text DEFAULT NULL, payload jsonb DEFAULT 'null') RETURNS bigint
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_publish_event';
COMMENT ON FUNCTION dealix.publish_event(text, text, jsonb) IS
'Publishes an event to all runs that wait in an event: state for this name with this correlation (the member correlation_id of the state''s input, else the run''s correlation_id), and that the caller may signal. Returns how many branches it reaches. It is not kept for runs that come to wait later: that is what signals are for.';

CREATE FUNCTION dealix.read_outbox(consumer text, max int DEFAULT 100) RETURNS TABLE (id bigint, topic text, event jsonb)
LANGUAGE C AS 'MODULE_PATHNAME', 'dealix_read_outbox';
COMMENT ON FUNCTION dealix.read_outbox(text, int) IS
'The oldest events, emitted by runs of the caller''s roles, that the consumer has not acknowledged, in CloudEvents 1.0 envelopes; those of one run in its order. A consumer belongs to the role that reads first under its name, and gets everything that the outbox has then and that comes. It is made without a lock that a run would wait for. Deliver, then dealix.ack: at least once; the event''s id tells repetitions. One reader of a consumer at a time: a second one waits for the transaction of the first.';

CREATE FUNCTION dealix.ack(consumer text, ids bigint[]) RETURNS bigint
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dealix_ack';
COMMENT ON FUNCTION dealix.ack(text, bigint[]) IS
'Takes events off the consumer''s list, by the id that dealix.read_outbox returned; returns how many were on it. What is not on it, events of owners whose privileges the caller lacks among it, stays as it is. An event goes when every consumer whose role may read it has acknowledged it. Errors: 42704 no such consumer.';

CREATE FUNCTION dealix.drop_consumer(consumer text) RETURNS boolean
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dealix_drop_consumer';
COMMENT ON FUNCTION dealix.drop_consumer(text) IS
'Removes a consumer of the current user: nothing waits for it any more. What nobody has acknowledged stays, for other consumers or the next one. Returns false when there is none.';

CREATE VIEW dealix.outbox_details WITH (security_barrier) AS
SELECT o.outbox_id AS id, o.run_id, o.owner::regrole AS owner, o.topic, o.at, o.event,
	(SELECT array_agg(c.name ORDER BY c.name) FROM dealix.outbox_consumer c
	 WHERE pg_has_role(c.role::oid, o.owner::oid, 'USAGE')
		AND NOT EXISTS (SELECT FROM dealix.outbox_ack a WHERE a.consumer_id = c.consumer_id
			AND a.outbox_id = o.outbox_id)) AS waits_for
FROM dealix.outbox o
WHERE dealix_internal.run_visible(o.owner);
COMMENT ON VIEW dealix.outbox_details IS 'Emitted events that some consumer has not acknowledged yet, or that wait for the first consumer.';
