"""The sample of the demo: made-up organizations with two years of work (docs/sample.md)."""
