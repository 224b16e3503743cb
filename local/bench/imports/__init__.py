"""`make bench`: how long an import takes, beside the documented pipeline, a staged pg_restore, and the floor."""
