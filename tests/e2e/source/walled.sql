-- Made by the service: its customers may not have this extension.
CREATE EXTENSION pg_visibility;
CREATE TABLE public.t (id int);
