"""S3's calls."""
