"""Configuration: config/insights/config.yaml and config/organization_profiles.yaml as typed, validated objects."""
