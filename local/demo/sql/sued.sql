-- A database whose every name needs quoting: reserved words, quotes, blanks, umlauts, dots, upper case.
SET ROLE "Süd Besitzer";

CREATE SCHEMA "Süd/Kunden";
GRANT USAGE ON SCHEMA "Süd/Kunden" TO "Süd-App ""intern""";

CREATE TYPE "Süd/Kunden"."Art des Kunden" AS ENUM ('privat', 'Firma "groß"', 'it''s', 'a,b', '');

CREATE TABLE "Süd/Kunden"."select" (
    "Kunden-Nr." bigint GENERATED ALWAYS AS IDENTITY (START WITH 9000000000) PRIMARY KEY,
    "Name, Vorname" text NOT NULL,
    "user" name,
    "Art" "Süd/Kunden"."Art des Kunden" DEFAULT 'it''s',
    "100%" numeric(5, 2) CHECK ("100%" BETWEEN 0 AND 100),
    CONSTRAINT "Name ""nicht"" leer; oder doch?" CHECK (btrim("Name, Vorname") <> '')
);
COMMENT ON COLUMN "Süd/Kunden"."select"."100%" IS E'back\\slash, tab\t, quote '' and ; and $$';

INSERT INTO "Süd/Kunden"."select" ("Name, Vorname", "user", "Art", "100%")
SELECT format(E'Müller-%s\t"Ä"\\N, %s', n, chr(65 + n % 26)),
       'u' || n,
       (enum_range(NULL::"Süd/Kunden"."Art des Kunden"))[n % 5 + 1],
       (n % 10001) / 100.0
FROM generate_series(1, 20000) AS n;

CREATE TABLE "Süd/Kunden"."Bestellung.2024" (
    "Nr" integer,
    "Kunden-Nr." bigint REFERENCES "Süd/Kunden"."select" ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    "Notiz
in zwei Zeilen" text,
    PRIMARY KEY ("Nr")
);
INSERT INTO "Süd/Kunden"."Bestellung.2024"
SELECT n, 9000000000 + n * 13 % 20000, repeat('ß€😀', n % 7) || E'\r\n' || n FROM generate_series(1, 30000) AS n;

CREATE INDEX "Index über ""Art""" ON "Süd/Kunden"."select" ("Art", lower("Name, Vorname"));

CREATE FUNCTION "Süd/Kunden"."zähle; sie"("Art" "Süd/Kunden"."Art des Kunden") RETURNS bigint
LANGUAGE sql STABLE AS $Körper$
    SELECT count(*) FROM "Süd/Kunden"."select" AS s WHERE s."Art" = $1
$Körper$;

CREATE VIEW "Süd/Kunden"."Übersicht" AS
SELECT "Art" AS "Art (neu)", "Süd/Kunden"."zähle; sie"("Art") AS "Anzahl"
FROM "Süd/Kunden"."select" GROUP BY "Art";

GRANT SELECT, INSERT ON "Süd/Kunden"."select" TO "Süd-App ""intern""";
GRANT SELECT ("Nr"), UPDATE ("Kunden-Nr.") ON "Süd/Kunden"."Bestellung.2024" TO "Süd-App ""intern""" WITH GRANT OPTION;
