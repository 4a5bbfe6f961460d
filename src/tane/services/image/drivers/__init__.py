"""Where image data lies."""
