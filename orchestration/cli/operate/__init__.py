"""Commands for those who look after the servers of Insights."""
