-- Roles of a flexible server, as `pg_dumpall --roles-only` of real servers (PostgreSQL 16 and 18) shows them.
-- The superuser azuresu is the bootstrap superuser (OID 10) there too.
CREATE ROLE azure_pg_admin NOLOGIN;
CREATE ROLE replication LOGIN REPLICATION;
ALTER ROLE azuresu SET search_path TO 'pg_catalog';

GRANT pg_checkpoint TO azure_pg_admin WITH ADMIN OPTION;
GRANT pg_create_subscription TO azure_pg_admin WITH ADMIN OPTION;
GRANT pg_monitor TO azure_pg_admin WITH ADMIN OPTION;
GRANT pg_read_all_data TO azure_pg_admin WITH ADMIN OPTION;
GRANT pg_read_all_settings TO azure_pg_admin WITH ADMIN OPTION;
GRANT pg_read_all_stats TO azure_pg_admin WITH ADMIN OPTION;
GRANT pg_signal_autovacuum_worker TO azure_pg_admin WITH ADMIN OPTION;
GRANT pg_signal_backend TO azure_pg_admin WITH ADMIN OPTION;
GRANT pg_stat_scan_tables TO azure_pg_admin WITH ADMIN OPTION;
GRANT pg_use_reserved_connections TO replication;
