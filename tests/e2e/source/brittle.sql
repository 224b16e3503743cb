-- A rule that holds here and cannot hold while rows come one table after the other.
CREATE TABLE a_child (parent int NOT NULL);
CREATE TABLE z_parent (id int PRIMARY KEY);
CREATE FUNCTION has_parent(int) RETURNS boolean LANGUAGE sql STABLE
    AS 'SELECT EXISTS (SELECT FROM public.z_parent WHERE id = $1)';
INSERT INTO z_parent VALUES (1);
ALTER TABLE a_child ADD CONSTRAINT parent_exists CHECK (has_parent(parent));
INSERT INTO a_child VALUES (1);
