"""Benchmarks: each measures work of Insights and a lower bound, its floor, in the same run (docs/performance.md)."""
