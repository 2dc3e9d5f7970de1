\set i :i + 8
\set n :i + :client_id
SELECT dealix.signal(run_id, 'go') FROM bench.target WHERE n = :n;
