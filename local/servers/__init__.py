"""The servers of the embedded Azure: Azurite for blobs, queues and tables, and PostgreSQL set up like flexible servers."""
