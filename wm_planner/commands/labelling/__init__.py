"""Futures out of run folders, for a judge to compare: people, or how episodes went."""
