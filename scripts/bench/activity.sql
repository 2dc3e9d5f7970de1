SELECT count(*) AS n, array_agg(token) AS tokens FROM dealix.claim('bench', 'worker', :batch) \gset
\if :n > 0
SELECT count(*) FROM dealix.complete_many(:tokens, array_fill('{}'::jsonb, ARRAY[:n::int]));
\endif
