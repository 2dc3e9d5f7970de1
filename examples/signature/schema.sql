-- Roles, tables and steps of the example; run by a superuser in a database
-- with the extension.  sales owns the runs, legal approves, signer is the
-- worker outside, provider is who calls our webhook.
CREATE ROLE sales LOGIN;
CREATE ROLE legal LOGIN;
CREATE ROLE signer LOGIN;
CREATE ROLE provider LOGIN;
GRANT sales TO provider;
SELECT dealix.grant_access('sales', 'application'), dealix.grant_access('sales', 'author'),
	dealix.grant_access('legal', 'approver'), dealix.grant_access('signer', 'worker'), dealix.grant_access('provider', 'application');

CREATE SCHEMA sales AUTHORIZATION sales;
SET ROLE sales;

CREATE TABLE sales.deal (deal int PRIMARY KEY, signer text NOT NULL, amount numeric NOT NULL, state text NOT NULL DEFAULT 'new');

CREATE FUNCTION sales.check_terms(deal int) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	d sales.deal;
BEGIN
	SELECT * INTO STRICT d FROM sales.deal x WHERE x.deal = check_terms.deal;
	IF d.amount <= 0 THEN
		PERFORM dealix.raise('Sales.BadTerms', 'the amount must be positive');
	END IF;
	RETURN to_jsonb(d);
END
$$;

CREATE FUNCTION sales.set_state(deal int, state text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
	UPDATE sales.deal d SET state = set_state.state WHERE d.deal = set_state.deal
$$;

-- A new deal starts its run; the deal's number is the run's key.
CREATE TRIGGER sign AFTER INSERT ON sales.deal FOR EACH ROW EXECUTE FUNCTION dealix.start_run('signature', 'deal');
RESET ROLE;
