"""The servers of the embedded Azure: Azurite, and PostgreSQL set up like flexible servers."""
