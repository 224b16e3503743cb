-- The database azure_maintenance, as dumps of real servers show it.
CREATE EXTENSION pg_availability WITH SCHEMA pg_catalog;

CREATE TABLE public.lsnmover (
    single_row_id boolean DEFAULT true NOT NULL CONSTRAINT lsnmover_pk PRIMARY KEY,
    id bigint,
    update_time timestamp without time zone DEFAULT now(),
    CONSTRAINT ensure_one_row CHECK (single_row_id)
);
INSERT INTO public.lsnmover (id) VALUES (658801);

GRANT ALL ON FUNCTION pg_catalog.pg_ls_dir(text) TO replication;
GRANT ALL ON FUNCTION pg_catalog.pg_ls_dir(text, boolean, boolean) TO replication;
GRANT ALL ON FUNCTION pg_catalog.pg_read_binary_file(text) TO replication;
GRANT ALL ON FUNCTION pg_catalog.pg_read_binary_file(text, bigint, bigint) TO replication;
GRANT ALL ON FUNCTION pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean) TO replication;
GRANT ALL ON FUNCTION pg_catalog.pg_stat_file(text) TO replication;
GRANT ALL ON FUNCTION pg_catalog.pg_stat_file(text, boolean) TO replication;
