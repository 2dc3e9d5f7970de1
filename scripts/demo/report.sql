-- What happened, for people.  Run as the role shop.
\pset footer off
\echo
\echo 'Outcomes'
SELECT workflow, status, error, count(*) AS runs,
	round(extract(epoch FROM avg(finished_at - created_at))::numeric, 1) AS "seconds on average"
FROM dealix.run_details
GROUP BY workflow, status, error
ORDER BY workflow, runs DESC;

\echo 'Deals by what the signer did'
SELECT demo.signer((input ->> 'deal_id')::int) AS signer, status, count(*) AS runs,
	round(extract(epoch FROM min(finished_at - created_at))::numeric, 1) AS "from s",
	round(extract(epoch FROM max(finished_at - created_at))::numeric, 1) AS "to s"
FROM dealix.run_details WHERE workflow = 'sign'
GROUP BY 1, 2 ORDER BY 3 DESC, 1;

SELECT count(*) AS late, count(*) > 0 AS slow FROM demo.deal_outcome WHERE ended = 'no answer' AND demo.signer(deal_id) <> 'never answers' \gset
\if :slow
\echo :late 'of the signers who answer came too late: a deal does not wait longer, however busy the machine is.'
\echo
\endif
\echo 'Transfers by what moved (rows of pgbench_history, which has no index)'
SELECT rtrim(filler) AS movement, count(*) AS rows, count(DISTINCT tid) AS transfers, sum(delta)
FROM pgbench_history GROUP BY 1 ORDER BY min(mtime), 1;

\echo 'The timeline of one compensated run'
SELECT run_id AS compensated FROM dealix.run_details
WHERE workflow = 'sign' AND error = 'NotSigned' ORDER BY created_at LIMIT 1 \gset
SELECT seq, to_char(at, 'HH24:MI:SS.MS') AS at, event, state, attempt, left(detail::text, 60) AS detail
FROM dealix.timeline(:'compensated') ORDER BY seq;
