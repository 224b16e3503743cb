"""The embedded Azure: functions host, backup vault service, Azurite and PostgreSQL servers, demo."""
