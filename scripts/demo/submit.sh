#!/bin/bash
# The client that starts the runs, a few at a time, as users would.
#
#   submit.sh DEALS TRANSFERS ROUNDS
#
# Every start has a key, so after a lost connection it sends the same again and
# need not know whether the lost call was carried out.
set -euo pipefail

deals=$1
transfers=$2
rounds=$3

sql() { psql -XqAt -v ON_ERROR_STOP=1 "$@" >/dev/null 2>&1; }

# start WORKFLOW KEY-PREFIX INPUT-EXPRESSION FROM TO
start()
{
	local i

	if [ "$4" -gt "$5" ]; then return; fi
	for ((i = 0; i < 3000; i++)); do
		if sql -c "
			SELECT count(*) FROM dealix.start_many('$1',
				ARRAY(SELECT $3 FROM generate_series($4, $5) AS i ORDER BY i),
				keys => ARRAY(SELECT '$2' || i FROM generate_series($4, $5) AS i ORDER BY i))"; then
			return
		fi
		sleep 0.2
	done
	echo "submit: could not start $1 $4 to $5." >&2
	exit 1
}

for ((round = 0; round < rounds; round++)); do
	start sign deal- "jsonb_build_object('deal_id', i)" \
		$((deals * round / rounds + 1)) $((deals * (round + 1) / rounds))
	start transfer transfer- "demo.transfer_input(i)" \
		$((transfers * round / rounds + 1)) $((transfers * (round + 1) / rounds))
	sleep 0.3
done
