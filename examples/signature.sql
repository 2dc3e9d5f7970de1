-- Ask for a signature, wait for it for a limited time, and take the request back
-- if it does not come.  Run with psql as a superuser in an empty database:
--
--	psql -f examples/signature.sql

CREATE EXTENSION dealix_exec;
CREATE ROLE example LOGIN;
SELECT dealix.grant_access('example', 'author'), dealix.grant_access('example', 'application');
CREATE SCHEMA example AUTHORIZATION example;
SET SESSION AUTHORIZATION example;

CREATE TABLE example.request (deal int, state text DEFAULT 'open');
CREATE FUNCTION example.ask(deal int) RETURNS void LANGUAGE sql AS
$$ INSERT INTO example.request (deal) VALUES (deal) $$;
CREATE FUNCTION example.take_back(deal int) RETURNS void LANGUAGE sql AS
$$ UPDATE example.request r SET state = 'taken back' WHERE r.deal = take_back.deal $$;
CREATE FUNCTION example.file(deal int, signer text) RETURNS void LANGUAGE sql AS
$$ UPDATE example.request r SET state = 'signed by ' || signer WHERE r.deal = file.deal $$;

SELECT dealix.publish('signature', '{
  "StartAt": "Ask",
  "States": {
    "Ask": {
      "Type": "Task", "Resource": "sql:example.ask",
      "Parameters": {"deal.$": "$.deal"}, "ResultPath": null,
      "Compensate": {"Resource": "sql:example.take_back", "Parameters": {"deal.$": "$.input.deal"}},
      "Next": "Wait for it"
    },
    "Wait for it": {
      "Type": "Task", "Resource": "signal:signed", "TimeoutSeconds": 2,
      "ResultPath": "$.signature",
      "Next": "File"
    },
    "File": {
      "Type": "Task", "Resource": "sql:example.file",
      "Parameters": {"deal.$": "$.deal", "signer.$": "$.signature.by"}, "ResultPath": null,
      "End": true
    }
  }
}');

SELECT dealix.start('signature', '{"deal": 1}') AS one \gset
SELECT dealix.start('signature', '{"deal": 2}') AS two \gset
CALL dealix.drain();
SELECT dealix.signal(:'one', 'signed', '{"by": "Ann"}');
CALL dealix.drain();
SELECT pg_sleep(2.1);
CALL dealix.drain();
CALL dealix.wait(:'one', '10 s');
CALL dealix.wait(:'two', '10 s');

-- Deal 1 is signed; nobody answered for deal 2, and its request is taken back.
SELECT * FROM example.request ORDER BY deal;
SELECT input ->> 'deal' AS deal, status, error FROM dealix.run_details ORDER BY 1;
