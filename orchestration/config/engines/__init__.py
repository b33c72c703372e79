"""What the engines of a warehouse need in the configuration and the environment."""
