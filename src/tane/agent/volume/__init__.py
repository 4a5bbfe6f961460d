"""The volume duty of a host: pools of block storage behind drivers."""
