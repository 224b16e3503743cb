-- Extensions (the admin's), schemas and everything that columns are made of.
CREATE SCHEMA extensions;
CREATE EXTENSION btree_gist SCHEMA extensions;
CREATE EXTENSION citext SCHEMA extensions;
CREATE EXTENSION hstore SCHEMA extensions;
CREATE EXTENSION ltree SCHEMA extensions;
CREATE EXTENSION pg_trgm SCHEMA extensions;
CREATE EXTENSION pgcrypto SCHEMA extensions;
CREATE EXTENSION postgres_fdw SCHEMA extensions;
CREATE EXTENSION unaccent SCHEMA extensions;
GRANT USAGE ON SCHEMA extensions TO PUBLIC;
GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO atlas_owner;

SET ROLE atlas_owner;

CREATE SCHEMA atlas;
COMMENT ON SCHEMA atlas IS 'The application''s own';
CREATE SCHEMA archive;
CREATE SCHEMA private;
SET search_path = atlas, extensions, public;

CREATE COLLATION by_code_point (provider = builtin, locale = 'C.UTF-8');
COMMENT ON COLLATION by_code_point IS 'Another order than the database''s';

CREATE TYPE mood AS ENUM ('calm', 'busy', 'on fire');
ALTER TYPE mood ADD VALUE 'bored' BEFORE 'calm';
COMMENT ON TYPE mood IS 'Ordered otherwise than it was made';

CREATE DOMAIN email AS citext
    CONSTRAINT has_at CHECK (VALUE ~ '^[^@]+@[^@]+$')
    CONSTRAINT short CHECK (length(VALUE) <= 120);
COMMENT ON DOMAIN email IS 'An address, case does not matter';
COMMENT ON CONSTRAINT has_at ON DOMAIN email IS 'Exactly one @';
CREATE DOMAIN percentage AS numeric(5, 2) DEFAULT 0 NOT NULL CHECK (VALUE BETWEEN 0 AND 100);

CREATE TYPE address AS (street text, zip varchar(10) COLLATE by_code_point, country char(2));
COMMENT ON COLUMN address.zip IS 'As text: zeros in front count';
CREATE FUNCTION float8_gap(float8, float8) RETURNS float8 LANGUAGE sql IMMUTABLE STRICT RETURN $1 - $2;
CREATE TYPE float_span AS RANGE (subtype = float8, subtype_diff = float8_gap, multirange_type_name = float_spans);

CREATE SEQUENCE ticket_number START WITH 5000000001 INCREMENT BY 10 MINVALUE 1 CACHE 5;
COMMENT ON SEQUENCE ticket_number IS 'Far from 1';
CREATE SEQUENCE shift AS smallint MINVALUE -3 MAXVALUE 3 START WITH 2 CYCLE;
CREATE SEQUENCE countdown INCREMENT BY -7 MAXVALUE 1000000 START WITH 999999;
CREATE SEQUENCE never_used START WITH 77;

CREATE TEXT SEARCH DICTIONARY plain_words (TEMPLATE = simple, STOPWORDS = 'english', ACCEPT = false);
CREATE TEXT SEARCH CONFIGURATION notes (COPY = english);
ALTER TEXT SEARCH CONFIGURATION notes ALTER MAPPING FOR asciiword WITH plain_words, english_stem;
COMMENT ON TEXT SEARCH CONFIGURATION notes IS 'Stop words first, then stems';
