#!/bin/bash
# The stand-in for a provider of electronic signatures: a program outside of
# the database that looks for open requests and answers them with a signal, one
# transaction each.  Who signs late, declines or never answers is decided by
# demo.signer().
#
# A signal has a key too: after a crash the provider repeats what it is not sure
# of, and the run receives it once.  It notes when an answer was acknowledged: what
# a deal has to come to is decided by that, not by how fast this machine is.  It
# goes on until it is told to stop.
set -euo pipefail

sql() { psql -XqAt -d "$PGDATABASE" 2>/dev/null; }

while :; do
	sql <<'END' >/dev/null || true
SELECT format('INSERT INTO demo.answer (deal_id, decision, accepted) SELECT %L, %L, dealix.signal(%L, %L, %L, key => %L)',
		r.deal_id, a.decision, r.run_id, 'signed', jsonb_build_object('decision', a.decision), 'signature-' || r.deal_id),
	format('UPDATE demo.answer SET acknowledged_at = clock_timestamp() WHERE deal_id = %L AND acknowledged_at IS NULL', r.deal_id)
FROM demo.signature_request r
CROSS JOIN LATERAL (SELECT CASE demo.signer(r.deal_id) WHEN 'declines' THEN 'declined' ELSE 'signed' END) a (decision)
WHERE r.status = 'open'
	AND demo.signer(r.deal_id) <> 'never answers'
	AND NOT EXISTS (SELECT FROM demo.answer s WHERE s.deal_id = r.deal_id AND s.acknowledged_at IS NOT NULL)
	AND r.created_at < clock_timestamp()
		- CASE demo.signer(r.deal_id) WHEN 'signs late' THEN interval '8 s' ELSE interval '1 s' END
ORDER BY r.created_at
LIMIT 400
\gexec
END
	sleep 0.3
done
