"""Handlers of the orchestration API: parse, ask the domain, show."""
