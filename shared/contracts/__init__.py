"""The data that crosses a boundary: requests, plans, files, outcomes, reports. Frozen models, plain JSON outside."""
