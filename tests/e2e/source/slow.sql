-- A rule that takes as long as there is a role of a certain name on the server.
CREATE FUNCTION patient() RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    WHILE EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'please_wait') LOOP
        PERFORM pg_catalog.pg_sleep(0.05);
    END LOOP;
    RETURN true;
END
$$;
CREATE TABLE turtle (id int CHECK (public.patient()));
INSERT INTO turtle VALUES (1);
