-- The server admin that the customer names. {admin} and {password} are filled in, quoted.
CREATE ROLE {admin} LOGIN CREATEROLE CREATEDB BYPASSRLS PASSWORD {password};
GRANT azure_pg_admin TO {admin} WITH ADMIN OPTION;
GRANT pg_read_all_settings TO {admin} WITH ADMIN OPTION;
GRANT pg_read_all_stats TO {admin} WITH ADMIN OPTION;
GRANT pg_stat_scan_tables TO {admin} WITH ADMIN OPTION;
