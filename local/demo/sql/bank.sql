-- After pgbench -i: rights, a view and a history made by arithmetic, so that every run holds the same rows.
SET ROLE bank_owner;

CREATE SCHEMA bank;
COMMENT ON TABLE pgbench_accounts IS 'One row per account';
COMMENT ON COLUMN pgbench_accounts.abalance IS 'In cents';

UPDATE pgbench_accounts SET abalance = (aid::bigint * 7919 % 20011)::int - 10000 WHERE aid % 50 = 0;

INSERT INTO pgbench_history (tid, bid, aid, delta, mtime, filler)
SELECT t.tid, t.bid, n * 37 % (SELECT count(*) FROM pgbench_accounts) + 1, n * 7919 % 10001 - 5000,
       timestamp '2024-01-01' + n * interval '97 seconds', 'booking ' || n
FROM generate_series(1, 40000) AS n JOIN pgbench_tellers AS t ON t.tid = n % (SELECT count(*) FROM pgbench_tellers) + 1;

CREATE INDEX pgbench_history_mtime ON pgbench_history USING brin (mtime);

CREATE VIEW bank.branch_balance AS
SELECT b.bid, b.bbalance, sum(a.abalance) AS accounts_balance, count(*) AS accounts
FROM pgbench_branches AS b JOIN pgbench_accounts AS a USING (bid)
GROUP BY b.bid;

CREATE FUNCTION bank.transfer(from_account int, to_account int, amount int) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    UPDATE pgbench_accounts SET abalance = abalance - amount WHERE aid = from_account;
    UPDATE pgbench_accounts SET abalance = abalance + amount WHERE aid = to_account;
END;
REVOKE ALL ON FUNCTION bank.transfer FROM PUBLIC;
GRANT EXECUTE ON FUNCTION bank.transfer TO writers;

GRANT USAGE ON SCHEMA bank TO readers;
GRANT SELECT ON ALL TABLES IN SCHEMA public, bank TO readers;
GRANT SELECT, INSERT, UPDATE, DELETE ON pgbench_accounts, pgbench_history, pgbench_tellers TO writers;
GRANT UPDATE (bbalance) ON pgbench_branches TO writers;
