"""Cutting a third-party model into an `Encoder`: a tracer, its graph, and the subgraphs that become sections."""
