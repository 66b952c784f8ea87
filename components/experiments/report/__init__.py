"""What an experiment says, as a record for machines and a page for people. Never here: how a figure is found."""
