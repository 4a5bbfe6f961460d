"""HTTP: route tables, request context, microversions, errors, paging, policy. Knows no service."""
