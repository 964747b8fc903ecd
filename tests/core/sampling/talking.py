"""Short words for tests of conversations."""

from seqforge.core.sampling.sampler import SamplerParams


def options(**more):
    return SamplerParams(**{"length": 100, **more})


def drawn(conversation, *length):
    return "".join(conversation.go_on(*length))


def ended(conversation):
    """Go on until the model ends the record."""
    for _ in range(50):
        drawn(conversation)
        if conversation.ended:
            return conversation.text
    raise AssertionError("the model never ends")
