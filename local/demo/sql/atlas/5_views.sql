-- Views, materialized views that stand on each other, publications, rights.
CREATE VIEW busy_customer WITH (security_barrier) AS
SELECT id, name, mail FROM customer WHERE mood = 'busy' WITH LOCAL CHECK OPTION;
COMMENT ON VIEW busy_customer IS 'Leaks nothing';
CREATE VIEW own_secret WITH (security_invoker) AS SELECT word FROM private.secret;
CREATE RECURSIVE VIEW referral (id, depth) AS
SELECT id, 0 FROM customer WHERE referrer IS NULL
UNION ALL
SELECT c.id, r.depth + 1 FROM customer AS c JOIN referral AS r ON c.referrer = r.id;
CREATE VIEW editable_place AS SELECT id, name FROM place;
ALTER VIEW editable_place ALTER COLUMN name SET DEFAULT 'somewhere';
CREATE FUNCTION place_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO atlas.place (id, name) VALUES (NEW.id, NEW.name);
    RETURN NEW;
END
$$;
CREATE TRIGGER insert_place INSTEAD OF INSERT ON editable_place FOR EACH ROW EXECUTE FUNCTION place_inserted();

-- Made in an order that is not the order of their names: each needs the one before.
CREATE MATERIALIZED VIEW z_sales AS
SELECT date_trunc('month', at, 'UTC') AS month, customer, count(*) AS events, sum((payload ->> 'amount')::numeric) AS amount
FROM event WHERE kind = 'sale' GROUP BY 1, 2;
CREATE UNIQUE INDEX z_sales_key ON z_sales (month, customer);
CREATE MATERIALIZED VIEW m_sales_by_month AS SELECT month, sum(amount) AS amount FROM z_sales GROUP BY month;
CREATE MATERIALIZED VIEW a_best_month AS SELECT month FROM m_sales_by_month ORDER BY amount DESC LIMIT 1;
COMMENT ON MATERIALIZED VIEW a_best_month IS 'Third of three';
CREATE MATERIALIZED VIEW not_yet AS SELECT 1 AS one WITH NO DATA;
CREATE VIEW best_customer AS
SELECT s.customer, longest(c.name) AS name, sum(s.amount) AS amount
FROM z_sales AS s JOIN customer AS c ON c.id = s.customer JOIN a_best_month USING (month) GROUP BY s.customer;

CREATE PUBLICATION sales FOR TABLE customer (id, name, mail) WHERE (id > 0), event WITH (publish_via_partition_root, publish = 'insert, update');
COMMENT ON PUBLICATION sales IS 'For the warehouse';

GRANT USAGE ON SCHEMA atlas, private TO readers, writers;
GRANT USAGE, CREATE ON SCHEMA archive TO atlas_app WITH GRANT OPTION;
GRANT SELECT ON ALL TABLES IN SCHEMA atlas TO readers;
GRANT INSERT, UPDATE, DELETE ON customer, event, booking, purchase TO writers;
GRANT SELECT, INSERT ON private.secret TO writers;
GRANT SELECT (id, name), UPDATE (mood) ON customer TO auditor WITH GRANT OPTION;
REVOKE SELECT ON session FROM readers;
GRANT USAGE, SELECT ON SEQUENCE ticket_number TO writers;
GRANT SELECT, UPDATE ON SEQUENCE shift TO atlas_app;
GRANT EXECUTE ON PROCEDURE close_day TO atlas_app;
REVOKE EXECUTE ON FUNCTION customers_in FROM PUBLIC;
GRANT EXECUTE ON FUNCTION customers_in TO readers;
REVOKE USAGE ON TYPE mood FROM PUBLIC;
GRANT USAGE ON TYPE mood TO readers;
GRANT USAGE ON DOMAIN email TO writers;
ALTER DEFAULT PRIVILEGES IN SCHEMA atlas GRANT SELECT ON TABLES TO readers;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA archive GRANT USAGE ON SEQUENCES TO writers WITH GRANT OPTION;

-- Owners other than the database's. The new owner needs CREATE on the schema, and only for this.
RESET ROLE;
GRANT CREATE ON SCHEMA atlas TO atlas_app, retired_app;
ALTER TABLE atlas.session OWNER TO atlas_app;
ALTER FUNCTION atlas.customers_in OWNER TO atlas_app;
ALTER TABLE atlas.retired OWNER TO retired_app;
ALTER LARGE OBJECT 700002 OWNER TO atlas_app;
REVOKE CREATE ON SCHEMA atlas FROM atlas_app, retired_app;
