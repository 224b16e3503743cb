-- Functions, procedures, aggregates, operators, casts, triggers, rules, row security.
CREATE FUNCTION full_address(a address) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT (a).street || ', ' || (a).zip || ' ' || (a).country;
END;
COMMENT ON FUNCTION full_address IS 'Parsed when it was made';

CREATE FUNCTION remember() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = atlas, pg_temp COST 50 AS $function$
-- A body with everything that a careless splitter of statements falls over; $$ too.
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO atlas.retired VALUES (1, 'it''s gone; "really"');
        RETURN OLD;
    END IF;
    RETURN NEW;
END;
$function$;

CREATE FUNCTION customers_in(wanted mood, VARIADIC names text[] DEFAULT '{}')
RETURNS TABLE (id bigint, name text)
LANGUAGE sql STABLE ROWS 50 AS $$
    SELECT c.id, c.name FROM atlas.customer AS c WHERE c.mood = wanted AND (names = '{}' OR c.name = ANY (names))
$$;

CREATE PROCEDURE close_day(INOUT closed int DEFAULT 0)
LANGUAGE plpgsql AS $$
BEGIN
    closed := closed + 1;
    COMMIT;
END
$$;
COMMENT ON PROCEDURE close_day IS 'Commits on its own';

CREATE FUNCTION longer(state text, value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN length(value) > length(coalesce(state, '')) THEN value ELSE state END;
CREATE AGGREGATE longest(text) (SFUNC = longer, STYPE = text, COMBINEFUNC = longer, PARALLEL = SAFE);
COMMENT ON AGGREGATE longest(text) IS 'The longest of them';

CREATE FUNCTION mood_distance(mood, mood) RETURNS int
LANGUAGE sql IMMUTABLE STRICT
AS $$ SELECT abs(array_position(enum_range(NULL::atlas.mood), $1) - array_position(enum_range(NULL::atlas.mood), $2)) $$;
CREATE OPERATOR <-> (FUNCTION = mood_distance, LEFTARG = mood, RIGHTARG = mood, COMMUTATOR = <->);
COMMENT ON OPERATOR <-> (mood, mood) IS 'How far apart';

CREATE FUNCTION address_text(address) RETURNS text LANGUAGE sql IMMUTABLE RETURN full_address($1);
CREATE CAST (address AS text) WITH FUNCTION address_text(address) AS ASSIGNMENT;
COMMENT ON CAST (address AS text) IS 'In one line';

CREATE TRIGGER keep_deleted AFTER DELETE ON customer
    FOR EACH ROW WHEN (OLD.mood IS DISTINCT FROM 'calm') EXECUTE FUNCTION remember();
COMMENT ON TRIGGER keep_deleted ON customer IS 'Not for the calm';
CREATE TRIGGER switched_off BEFORE UPDATE OF name ON customer FOR EACH ROW EXECUTE FUNCTION remember('a', 'b''c');
ALTER TABLE customer DISABLE TRIGGER switched_off;
CREATE CONSTRAINT TRIGGER checked_late AFTER INSERT ON booking
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION remember();
ALTER TABLE booking ENABLE ALWAYS TRIGGER checked_late;
CREATE TRIGGER on_every_partition BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION remember();
ALTER TABLE event_2023 DISABLE TRIGGER on_every_partition;

CREATE RULE never_delete AS ON DELETE TO place WHERE OLD.height > 8000 DO INSTEAD NOTHING;
COMMENT ON RULE never_delete ON place IS 'Mountains stay';

ALTER TABLE private.secret ENABLE ROW LEVEL SECURITY;
ALTER TABLE private.secret FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON private.secret FOR ALL TO writers
    USING (tenant = current_setting('app.tenant', true)) WITH CHECK (tenant <> '');
CREATE POLICY not_at_night ON private.secret AS RESTRICTIVE FOR SELECT USING (extract(hour FROM now()) BETWEEN 0 AND 23);
COMMENT ON POLICY own_tenant ON private.secret IS 'Everybody sees their own';
ALTER TABLE booking ENABLE ROW LEVEL SECURITY;
CREATE POLICY all_bookings ON booking TO PUBLIC USING (true);
