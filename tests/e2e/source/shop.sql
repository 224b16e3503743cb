GRANT CREATE ON SCHEMA public TO shop_owner;
GRANT CREATE ON DATABASE shop TO shop_owner;
CREATE SCHEMA stock AUTHORIZATION shop_owner;
SET ROLE shop_owner;
CREATE TABLE stock.article (
    id int GENERATED ALWAYS AS IDENTITY (START WITH 1000) PRIMARY KEY,
    name text NOT NULL UNIQUE,
    price numeric(12, 2) CHECK (price >= 0)
);
CREATE TABLE stock.movement (
    id bigint PRIMARY KEY,
    article int NOT NULL REFERENCES stock.article (id),
    moved timestamptz NOT NULL,
    amount int NOT NULL,
    note text
);
INSERT INTO stock.article (name, price) SELECT 'article ' || n, n * 1.5 FROM generate_series(1, 200) n;
INSERT INTO stock.movement
SELECT n, 1000 + n % 200, '2026-01-01Z'::timestamptz + n * interval '1 minute', n % 17, md5(n::text)
FROM generate_series(1, 200000) n;
CREATE INDEX ON stock.movement (moved);
CREATE INDEX ON stock.movement (note);
CREATE VIEW stock.turnover AS SELECT article, sum(amount) AS amount FROM stock.movement GROUP BY article;
CREATE MATERIALIZED VIEW stock.by_article AS SELECT * FROM stock.turnover;
GRANT USAGE ON SCHEMA stock TO shop_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA stock TO shop_reader;
COMMENT ON TABLE stock.article IS 'what is sold';
