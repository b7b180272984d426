"""Adapters between the domain's ports and the outside: S3, SSM, Spotify's Web API, logs."""
