-- A rule that holds here, and cannot hold in a database of another name.
CREATE TABLE homebody (id int CONSTRAINT only_at_home CHECK (current_database() = 'brittle'));
INSERT INTO homebody VALUES (1);
