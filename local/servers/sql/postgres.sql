-- The database postgres, as dumps of real servers show it.
CREATE EXTENSION azure WITH SCHEMA pg_catalog;
CREATE EXTENSION pgaadauth WITH SCHEMA pg_catalog;
