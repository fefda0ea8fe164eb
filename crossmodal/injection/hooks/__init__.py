"""Guidance into models that were not written for this library, by hooks: probing, layouts, `Injected`."""
