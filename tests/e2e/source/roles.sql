CREATE ROLE shop_owner LOGIN PASSWORD 'only on the source' CONNECTION LIMIT 7;
CREATE ROLE shop_reader;
GRANT shop_reader TO shop_owner;
GRANT shop_owner TO CURRENT_USER WITH INHERIT TRUE, SET TRUE;
