"""The sample data: fictitious organizations with two years of work (docs/sample.md)."""
