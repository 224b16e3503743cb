-- The roles of versions.sql. Run by the superuser, for the source's history may hold what its admin cannot do any more.
CREATE ROLE app_owner NOLOGIN;
CREATE ROLE app_login LOGIN NOINHERIT CONNECTION LIMIT 20 VALID UNTIL '2031-01-01 00:00:00+00';
CREATE ROLE reporting LOGIN CREATEDB;
CREATE ROLE "Étude ""x""" LOGIN CREATEROLE;
CREATE ROLE boss SUPERUSER LOGIN REPLICATION BYPASSRLS;
COMMENT ON ROLE reporting IS E'it''s\n; \\! nothing';
GRANT app_owner, app_login, reporting, "Étude ""x""" TO flexadmin WITH ADMIN OPTION;
GRANT app_owner TO app_login WITH ADMIN OPTION;
GRANT reporting TO boss;
GRANT reporting TO app_login;
GRANT pg_monitor, pg_read_all_data TO reporting;
ALTER ROLE reporting SET search_path TO shop, "B;";
ALTER ROLE reporting SET statement_timeout TO '5min';

SELECT current_setting('server_version_num')::int >= 160000 AS from_16 \gset
\if :from_16
GRANT app_owner TO reporting WITH INHERIT FALSE, SET FALSE;
\else
-- It has another name since PostgreSQL 16.
ALTER ROLE reporting SET force_parallel_mode TO 'on';
\endif
