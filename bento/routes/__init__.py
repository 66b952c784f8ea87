"""Every route of the service, each group in a file of its own."""
