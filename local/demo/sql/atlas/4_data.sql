-- Rows by arithmetic: every run of the demo holds the same.
INSERT INTO customer (name, mail, home, labels, mood, discount, credit, referrer)
SELECT format(E'Customer %s %s\t', n, md5(n::text)),
       format('C%s@Example.org', n),
       ROW('Street "' || n || '"', lpad((n % 99999)::text, 5, '0'), 'DE')::address,
       hstore(ARRAY['origin', 'city'], ARRAY['shop', CASE WHEN n % 9 > 0 THEN 'Köln ' || n END]),
       (enum_range(NULL::mood))[n % 4 + 1],
       (n % 10000) / 100.0,
       (n * 1.01)::numeric::money,
       CASE WHEN n > 1 AND n % 3 = 0 THEN 100000 + 3 * (n / 2) END
FROM generate_series(1, 20000) AS n;

INSERT INTO event (at, customer, kind, payload, tags, trace, origin, digest, note)
SELECT timestamptz '2022-06-01 00:00+00' + n * interval '10 minutes 1 second',
       100000 + 3 * (n * 7919 % 20000),
       (ARRAY['visit', 'visit', 'sale', 'refund', 'call', 'visit'])[n % 6 + 1],
       jsonb_build_object('n', n, 'amount', n * 7919 % 100000 / 100.0, 'text', md5((n * 3)::text), 'deep', ARRAY[n, NULL]),
       ARRAY['tag ' || n % 13, NULL, E'with "quotes", \\ and ,'],
       md5('trace' || n)::uuid,
       ('10.' || n % 250 || '.' || n / 250 % 250 || '.7/16')::inet,
       sha256(n::text::bytea),
       CASE WHEN n % 4 > 0 THEN repeat(md5(n::text), n % 12) END
FROM generate_series(1, 150000) AS n;

INSERT INTO place SELECT n, 'Place ' || n, n * 9 FROM generate_series(1, 1000) AS n;
INSERT INTO city (id, name, mayor) SELECT 2000 + n, 'City ' || n, 'Mayor ' || n FROM generate_series(1, 500) AS n;
INSERT INTO capital (id, name, mayor, country)
SELECT 3000 + n, 'Capital ' || n, NULL, chr(65 + n / 26) || chr(65 + n % 26) FROM generate_series(1, 100) AS n;

INSERT INTO booking (room, during, spans, customer, place)
SELECT n % 50,
       tstzrange(timestamptz '2024-01-01 00:00+00' + n * interval '1 day', timestamptz '2024-01-01 12:00+00' + n * interval '1 day'),
       float_spans(float_span(n, n + 0.1), float_span(n + 0.5, NULL)),
       100000 + 3 * (n % 20000), n % 1000 + 1
FROM generate_series(1, 10000) AS n;
INSERT INTO price
SELECT n % 100, daterange('2020-01-01'::date + n * 7, '2020-01-07'::date + n * 7), n / 7.0 FROM generate_series(1, 5000) AS n;
INSERT INTO purchase SELECT n, n % 100, n FROM generate_series(1, 5000) AS n;

INSERT INTO document
SELECT md5(n::text)::uuid,
       xmlelement(NAME page, xmlattributes(n AS number), 'Größe & <Maß> ' || n),
       jsonb_build_object('n', n, 'unicode', 'ß€😀', 'null', NULL, 'big', 12345678901234567890),
       ('root.branch_' || n % 7 || '.leaf_' || n)::ltree,
       700001 + n % 3,
       ARRAY[[n, n + 1], [NULL, -n]],
       (n % 4096)::bit(12)::bit varying(12),
       box(point(n, n / 3.0), point(0, 0)),
       path(format('((0,0),(%s,%s))', n, n / 7.0)),
       macaddr8('08:00:2b:01:02:03:04:05'),
       cidr '192.168.0.0/16',
       make_interval(months => n % 30, days => n, secs => n / 1000.0),
       timetz '12:34:56.789+05:30' + n * interval '1 second',
       n / 3.0, ARRAY[n / 3.0, 'NaN', '-Infinity', 5e-324],
       chr(33 + n % 90)::"char",
       convert_to(repeat(md5(n::text), 20), 'UTF8')
FROM generate_series(1, 3000) AS n;
INSERT INTO session SELECT md5(n::text), timestamptz '2024-02-29 12:00+00' + n * interval '1 minute' FROM generate_series(1, 2000) AS n;
INSERT INTO nothing DEFAULT VALUES;
INSERT INTO nothing DEFAULT VALUES;
INSERT INTO typed SELECT 'Given ' || n, E'Fam\nily ' || n FROM generate_series(1, 500) AS n;
-- The owner too is bound by forced row security: the rows go in through a policy of theirs.
CREATE POLICY filling ON private.secret TO atlas_owner USING (true);
INSERT INTO private.secret SELECT CASE n % 2 WHEN 0 THEN 'north' ELSE 'south' END, md5(n::text) FROM generate_series(1, 4000) AS n;
DROP POLICY filling ON private.secret;

SELECT setval('shift', -2), nextval('shift'), setval('countdown', 424242, false), setval('booking_id_seq', 10000, true);

SELECT lo_from_bytea(700001, convert_to(repeat('a scan of a page; ', 60000), 'UTF8')),
       lo_from_bytea(700002, convert_to(repeat('\000 ' || md5('2'), 9000), 'UTF8')),
       lo_from_bytea(700003, ''),
       lo_from_bytea(4294967290, sha512('at the end of the oids'));
COMMENT ON LARGE OBJECT 700001 IS 'The first page';
GRANT SELECT ON LARGE OBJECT 700001 TO readers;
GRANT SELECT, UPDATE ON LARGE OBJECT 700002 TO writers WITH GRANT OPTION;
