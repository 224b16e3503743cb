-- The database azure_sys, as dumps of real servers show it.
CREATE EXTENSION tablefunc WITH SCHEMA public;
CREATE EXTENSION pg_qs WITH SCHEMA public;
CREATE EXTENSION pgms_stats WITH SCHEMA public;
CREATE EXTENSION pgms_wait_sampling WITH SCHEMA public;
CREATE EXTENSION azure WITH SCHEMA public;
