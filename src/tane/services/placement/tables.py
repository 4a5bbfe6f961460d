"""Placement has no tables: it shows ``host`` and ``allocation`` of :mod:`tane.hosts`."""
