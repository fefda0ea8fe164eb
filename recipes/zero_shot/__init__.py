"""The systems of `few_shot`, tested on classes of which they have seen no clip."""
