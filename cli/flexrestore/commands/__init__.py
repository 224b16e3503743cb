"""The commands: each calls the API once or until something ends, and shows the answer."""
