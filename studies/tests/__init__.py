"""Does the harness do what studies/README.md says? Needs neither data nor network."""
