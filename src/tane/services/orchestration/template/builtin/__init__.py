"""The functions that templates may call, by what they work on."""
