"""Ids in, logits out: the network, its checkpoint and its initial weights."""
