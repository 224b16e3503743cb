-- The extension allow-list. On Azure it is a hook in C, invisible in catalogs and dumps. Here it is an event trigger;
-- as a member of plpgsql, which every database has and pg_dump takes for granted, it is invisible in \dx and in dumps.
CREATE FUNCTION pg_catalog.azure_refuse_extension(extension text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    RAISE feature_not_supported USING
        MESSAGE = format('extension "%s" is not allow-listed for "azure_pg_admin" users in Azure Database for PostgreSQL', extension),
        HINT = 'to see the full allow list of extensions, please run: "show azure.extensions;"';
END $$;

-- Security definer, because the setting is read from the file: SHOW would believe a SET of the session.
CREATE FUNCTION pg_catalog.azure_guard_extension() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed text[] := (SELECT string_to_array(lower(replace(setting, ' ', '')), ',')
                         FROM pg_file_settings WHERE name = 'azure.extensions' ORDER BY seqno DESC LIMIT 1);
    created text;
BEGIN
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = session_user) THEN
        RETURN;
    END IF;
    IF NOT pg_has_role(session_user, 'azure_pg_admin', 'MEMBER') THEN
        RAISE insufficient_privilege USING
            MESSAGE = 'Only members of "azure_pg_admin" are allowed to use CREATE EXTENSION';
    END IF;
    IF tg_event = 'ddl_command_end' THEN
        FOR created IN
            SELECT extname FROM pg_event_trigger_ddl_commands() JOIN pg_extension ON pg_extension.oid = objid
             WHERE classid = 'pg_extension'::regclass
        LOOP
            IF created <> ALL (allowed) THEN
                PERFORM azure_refuse_extension(created);
            ELSIF created = 'postgres_fdw' THEN
                GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO azure_pg_admin WITH GRANT OPTION;
            END IF;
        END LOOP;
    END IF;
END $$;

CREATE EVENT TRIGGER azure_guard_extension_start ON ddl_command_start
    WHEN TAG IN ('CREATE EXTENSION') EXECUTE FUNCTION pg_catalog.azure_guard_extension();
CREATE EVENT TRIGGER azure_guard_extension_end ON ddl_command_end
    WHEN TAG IN ('CREATE EXTENSION') EXECUTE FUNCTION pg_catalog.azure_guard_extension();

ALTER EXTENSION plpgsql ADD FUNCTION pg_catalog.azure_refuse_extension(text);
ALTER EXTENSION plpgsql ADD FUNCTION pg_catalog.azure_guard_extension();
ALTER EXTENSION plpgsql ADD EVENT TRIGGER azure_guard_extension_start;
ALTER EXTENSION plpgsql ADD EVENT TRIGGER azure_guard_extension_end;
