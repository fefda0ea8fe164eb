"""What the library costs, measured: `python -m benchmarks`. Not part of the package, and not run by CI."""
