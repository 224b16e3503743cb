-- What template1, and so every database made from it, holds on a flexible server: dumps of real ones show it.
ALTER SCHEMA public OWNER TO azure_pg_admin;

DO $$
DECLARE
    routine regprocedure;
BEGIN
    FOR routine IN
        SELECT oid FROM pg_proc
         WHERE pronamespace = 'pg_catalog'::regnamespace
           AND (proname LIKE 'pg\_replication\_origin\_%' OR proname IN (
                'pg_show_replication_origin_status', 'pg_stat_reset', 'pg_stat_reset_shared',
                'pg_stat_reset_single_function_counters', 'pg_stat_reset_single_table_counters'))
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO azure_pg_admin', routine);
    END LOOP;
END $$;

DO $$
DECLARE
    attribute record;
BEGIN
    FOR attribute IN
        SELECT attrelid::regclass AS relation, attname FROM pg_attribute
         WHERE attnum > 0 AND attrelid IN (
               'pg_config'::regclass, 'pg_hba_file_rules'::regclass, 'pg_replication_origin_status'::regclass,
               'pg_shmem_allocations'::regclass, 'pg_statistic'::regclass, 'pg_subscription'::regclass)
           AND (attrelid <> 'pg_subscription'::regclass OR attname IN (
               'oid', 'subdbid', 'subname', 'subowner', 'subenabled', 'subconninfo', 'subslotname', 'subsynccommit',
               'subpublications'))
    LOOP
        EXECUTE format('GRANT SELECT (%I) ON pg_catalog.%s TO azure_pg_admin', attribute.attname, attribute.relation);
    END LOOP;
END $$;
