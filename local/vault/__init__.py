"""The backup vault service: Azure Backup's ARM protocol over real dumps of real servers."""
