"""The core's tests run beside other programs: one thread an operation."""

import torch

torch.set_num_threads(1)
