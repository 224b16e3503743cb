-- Three applications' databases, each another way to be a database.
CREATE DATABASE bank OWNER bank_owner;
COMMENT ON DATABASE bank IS 'pgbench''s tables';
ALTER DATABASE bank SET synchronous_commit = 'local';
ALTER DATABASE bank SET default_statistics_target = 200;

CREATE DATABASE atlas
    OWNER atlas_owner
    TEMPLATE template0
    ENCODING 'UTF8'
    LOCALE 'C'
    LOCALE_PROVIDER builtin
    BUILTIN_LOCALE 'PG_UNICODE_FAST'
    CONNECTION LIMIT 50;
COMMENT ON DATABASE atlas IS 'One of every kind of object';
ALTER DATABASE atlas SET search_path = atlas, public;
ALTER DATABASE atlas SET timezone = 'Europe/Berlin';
ALTER DATABASE atlas SET application_name = 'it''s "quoted", with \ and ;';
ALTER ROLE atlas_app IN DATABASE atlas SET lock_timeout = '5s';
REVOKE ALL ON DATABASE atlas FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE atlas TO writers;
GRANT CONNECT ON DATABASE atlas TO readers WITH GRANT OPTION;

CREATE DATABASE "Kunden ""Süd"" 2024" OWNER "Süd Besitzer" TEMPLATE template0 LOCALE_PROVIDER builtin LOCALE 'C.UTF-8';
COMMENT ON DATABASE "Kunden ""Süd"" 2024" IS 'Every name in here needs quoting';
ALTER DATABASE "Kunden ""Süd"" 2024" SET search_path = "Süd/Kunden", public;

-- In a database made from template1, "public" belongs to azure_pg_admin, as on Azure.
\connect bank
GRANT ALL ON SCHEMA public TO bank_owner;
