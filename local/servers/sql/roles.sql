-- Roles of a flexible server, as `pg_dumpall --roles-only` of real servers (PostgreSQL 16 and 18) shows them; older
-- versions lack some of the predefined roles. The superuser azuresu is the bootstrap superuser (OID 10) there too.
CREATE ROLE azure_pg_admin NOLOGIN;
CREATE ROLE replication LOGIN REPLICATION;
ALTER ROLE azuresu SET search_path TO 'pg_catalog';

DO $$
DECLARE
    predefined name;
BEGIN
    FOR predefined IN
        SELECT rolname FROM pg_roles
         WHERE rolname IN (
               'pg_checkpoint', 'pg_create_subscription', 'pg_monitor', 'pg_read_all_data', 'pg_read_all_settings',
               'pg_read_all_stats', 'pg_signal_autovacuum_worker', 'pg_signal_backend', 'pg_stat_scan_tables')
         ORDER BY rolname
    LOOP
        EXECUTE format('GRANT %I TO azure_pg_admin WITH ADMIN OPTION', predefined);
    END LOOP;
    IF to_regrole('pg_use_reserved_connections') IS NOT NULL THEN
        GRANT pg_use_reserved_connections TO replication;
    END IF;
END $$;
