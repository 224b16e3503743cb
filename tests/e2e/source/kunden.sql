CREATE TABLE "Kunde ""A""" (id int PRIMARY KEY, "Straße" text);
INSERT INTO "Kunde ""A""" SELECT n, 'Straße ' || n FROM generate_series(1, 1000) n;
