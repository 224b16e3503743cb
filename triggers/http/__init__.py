"""The HTTP API: endpoints in one table, from which the app and its OpenAPI document are made."""
