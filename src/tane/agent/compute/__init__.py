"""The compute duty of a host: guests behind drivers."""
