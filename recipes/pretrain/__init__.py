"""The systems of `few_shot`, pre-trained on clips of many classes."""
