"""Who is told what, and how events are followed."""
