"""Hands review cases to Core Services: what the models put into review_requests, delivered once each."""
