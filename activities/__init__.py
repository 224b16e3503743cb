"""One thing each: thin, idempotent, safe to run twice at once; JSON in, an outcome out."""
