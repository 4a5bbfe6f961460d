"""SQL of orchestration. Every function takes an open transaction."""
