-- What only the service itself (the superuser) can make: an import cannot keep these, and its report says so.
CREATE FUNCTION atlas.note_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE DEBUG 'ddl'; END $$;
CREATE EVENT TRIGGER note_ddl ON ddl_command_end EXECUTE FUNCTION atlas.note_ddl();
COMMENT ON EXTENSION pg_trgm IS 'For customers'' typing errors';
CREATE TABLE atlas.service_probe (at timestamptz, ok boolean);
GRANT SELECT ON atlas.service_probe TO azure_pg_admin;
INSERT INTO atlas.service_probe VALUES ('2024-01-01 00:00+00', true);
