CALL dealix.wait_for_work('bench', '1 hour');
INSERT INTO bench.turn SELECT count(*), avg(extract(epoch FROM clock_timestamp() - t.created_at)) * 1000
FROM dealix.claim('bench', 'worker', 1) c JOIN dealix.activity_details t ON t.task_id = c.task;
