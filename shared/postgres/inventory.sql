-- Every object of the database under the kind, schema and name that pg_dump gives it in a table of contents.
-- Run with an empty search_path, so that types in signatures are qualified as pg_dump does it.
WITH space AS (
    SELECT oid, nspname FROM pg_catalog.pg_namespace
     WHERE nspname NOT IN ('pg_catalog', 'information_schema') AND nspname NOT LIKE 'pg\_toast%' AND nspname NOT LIKE 'pg\_temp%'
), relation AS (
    SELECT c.oid, c.relkind, c.relispartition, c.relispopulated, c.relrowsecurity, s.nspname, c.relname
      FROM pg_catalog.pg_class c JOIN space s ON s.oid = c.relnamespace
)
SELECT 'SCHEMA' AS kind, NULL::text AS schema, nspname::text AS name FROM space
UNION ALL
SELECT CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                    WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, nspname, relname
  FROM relation WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
UNION ALL
SELECT 'TABLE ATTACH', nspname, relname FROM relation WHERE relispartition AND relkind IN ('r', 'p', 'f')
UNION ALL
SELECT 'MATERIALIZED VIEW DATA', nspname, relname FROM relation WHERE relkind = 'm' AND relispopulated
UNION ALL
SELECT 'ROW SECURITY', nspname, relname FROM relation WHERE relrowsecurity
UNION ALL
SELECT CASE WHEN r.relispartition THEN 'INDEX ATTACH' ELSE 'INDEX' END, r.nspname, r.relname
  FROM relation r JOIN pg_catalog.pg_index i ON i.indexrelid = r.oid WHERE i.indisvalid AND i.indisready
UNION ALL
SELECT 'INDEX', r.nspname, r.relname
  FROM relation r JOIN pg_catalog.pg_index i ON i.indexrelid = r.oid
 WHERE r.relispartition AND i.indisvalid AND i.indisready
UNION ALL
SELECT CASE k.contype WHEN 'f' THEN 'FK CONSTRAINT' WHEN 'c' THEN 'CHECK CONSTRAINT' ELSE 'CONSTRAINT' END,
       r.nspname, r.relname || ' ' || k.conname
  FROM pg_catalog.pg_constraint k JOIN relation r ON r.oid = k.conrelid
UNION ALL
SELECT CASE k.contype WHEN 'c' THEN 'CHECK CONSTRAINT' ELSE 'CONSTRAINT' END, s.nspname, t.typname || ' ' || k.conname
  FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_type t ON t.oid = k.contypid JOIN space s ON s.oid = t.typnamespace
UNION ALL
SELECT 'DEFAULT', r.nspname, r.relname || ' ' || a.attname
  FROM pg_catalog.pg_attrdef d JOIN relation r ON r.oid = d.adrelid
  JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
UNION ALL
SELECT 'TRIGGER', r.nspname, r.relname || ' ' || t.tgname
  FROM pg_catalog.pg_trigger t JOIN relation r ON r.oid = t.tgrelid
 WHERE NOT t.tgisinternal OR (t.tgparentid <> 0 AND t.tgconstraint = 0) -- a partition's are internal before PostgreSQL 15
UNION ALL
SELECT 'RULE', r.nspname, r.relname || ' ' || w.rulename
  FROM pg_catalog.pg_rewrite w JOIN relation r ON r.oid = w.ev_class
UNION ALL
SELECT 'POLICY', r.nspname, r.relname || ' ' || p.polname
  FROM pg_catalog.pg_policy p JOIN relation r ON r.oid = p.polrelid
UNION ALL
SELECT CASE p.prokind WHEN 'p' THEN 'PROCEDURE' WHEN 'a' THEN 'AGGREGATE' ELSE 'FUNCTION' END, s.nspname,
       p.proname || '(' || CASE WHEN p.prokind = 'a' AND p.pronargs = 0 THEN '*'
                                ELSE pg_catalog.oidvectortypes(p.proargtypes) END || ')'
  FROM pg_catalog.pg_proc p JOIN space s ON s.oid = p.pronamespace
UNION ALL
SELECT CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, s.nspname, t.typname
  FROM pg_catalog.pg_type t JOIN space s ON s.oid = t.typnamespace
  LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
 WHERE t.typelem = 0 AND (t.typrelid = 0 OR c.relkind = 'c')
UNION ALL
SELECT 'COLLATION', s.nspname, o.collname FROM pg_catalog.pg_collation o JOIN space s ON s.oid = o.collnamespace
UNION ALL
SELECT 'STATISTICS', s.nspname, o.stxname FROM pg_catalog.pg_statistic_ext o JOIN space s ON s.oid = o.stxnamespace
UNION ALL
SELECT 'OPERATOR', s.nspname, o.oprname FROM pg_catalog.pg_operator o JOIN space s ON s.oid = o.oprnamespace
UNION ALL
SELECT 'TEXT SEARCH CONFIGURATION', s.nspname, o.cfgname
  FROM pg_catalog.pg_ts_config o JOIN space s ON s.oid = o.cfgnamespace
UNION ALL
SELECT 'TEXT SEARCH DICTIONARY', s.nspname, o.dictname
  FROM pg_catalog.pg_ts_dict o JOIN space s ON s.oid = o.dictnamespace
UNION ALL
SELECT 'EXTENSION', NULL, extname FROM pg_catalog.pg_extension
UNION ALL
SELECT 'SERVER', NULL, srvname FROM pg_catalog.pg_foreign_server
UNION ALL
SELECT 'FOREIGN DATA WRAPPER', NULL, fdwname FROM pg_catalog.pg_foreign_data_wrapper
UNION ALL
SELECT 'PUBLICATION', NULL, pubname FROM pg_catalog.pg_publication
