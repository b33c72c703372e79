"""Sends the review cases that dbt writes to review_requests to Core Services, each of them once."""
