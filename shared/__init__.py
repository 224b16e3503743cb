"""What activities are made of: contracts, vault, storage, postgres, settings, errors, telemetry."""
