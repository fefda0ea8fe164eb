"""Ablations, comparisons, sweeps, paired intervals, tables and reports."""
