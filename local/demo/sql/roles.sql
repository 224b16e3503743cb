-- The applications' roles, made by the server's admin. Logins, owners, groups with options, settings.
-- CREATE ROLE makes its creator an administrator of the role; this lets it act as the role too.
SET createrole_self_grant = 'set, inherit';

CREATE ROLE bank_owner NOLOGIN;
CREATE ROLE atlas_owner NOLOGIN;
CREATE ROLE "Süd Besitzer" NOLOGIN;
COMMENT ON ROLE atlas_owner IS 'Owns everything in "atlas"; nobody''s login';

CREATE ROLE readers NOLOGIN;
CREATE ROLE writers NOLOGIN;
COMMENT ON ROLE readers IS 'Read-only access to all applications';
GRANT readers TO writers;

CREATE ROLE bank_app LOGIN PASSWORD 'of the demo, thrown away' CONNECTION LIMIT 40;
CREATE ROLE atlas_app LOGIN PASSWORD 'of the demo, thrown away';
CREATE ROLE "Süd-App ""intern""" LOGIN PASSWORD 'of the demo, thrown away';
CREATE ROLE auditor LOGIN NOINHERIT VALID UNTIL '2031-12-31 23:59:59+00';
CREATE ROLE batch LOGIN CREATEDB PASSWORD 'of the demo, thrown away';
CREATE ROLE retired_app NOLOGIN CONNECTION LIMIT 0;
COMMENT ON ROLE retired_app IS 'Kept because it still owns history
(second line of a comment)';

GRANT writers TO bank_app, atlas_app;
GRANT writers TO "Süd-App ""intern""" WITH INHERIT TRUE, SET FALSE;
GRANT readers TO auditor WITH INHERIT FALSE, SET TRUE;
GRANT atlas_owner TO batch WITH ADMIN TRUE;
GRANT pg_monitor TO auditor;

ALTER ROLE bank_app SET statement_timeout = '30s';
ALTER ROLE bank_app SET search_path = bank, public;
ALTER ROLE atlas_app SET application_name = 'north; south';
ALTER ROLE auditor SET default_transaction_read_only = on;
ALTER ROLE batch SET work_mem = '64MB';
