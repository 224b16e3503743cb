"""The functions host: runs a Python v2 function app with Durable Functions on this machine, without Core Tools."""
