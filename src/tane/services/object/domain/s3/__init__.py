"""What S3 has of its own: signatures, bodies in signed pieces, checksums, uploads in parts."""
