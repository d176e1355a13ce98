"""What the device of a rank can do at most, and what it holds."""

from __future__ import annotations

import resource
import sys
import time

import psutil
import torch

_PEAKS: tuple[tuple[str, float, float], ...] = (
    ("H200", 989.4, 66.9),
    ("H100 PCIe", 756.0, 51.0),
    ("H100 NVL", 835.5, 60.0),
    ("H100", 989.4, 66.9),
    ("A100", 312.0, 19.5),
    ("L40S", 362.05, 91.6),
)
"""Part of the device's name; dense bf16 and fp32 TFLOP/s without sparsity: NVIDIA's data sheets of the H200,
H100 (SXM where the name says nothing else), A100 and L40S."""


def peak_tflops(device: torch.device, precision: str) -> float | None:
    """The most TFLOP/s that a device can do in a precision; None if it is not in the table."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    for part, half, single in _PEAKS:
        if all(word in name for word in part.split()):
            return single if precision == "fp32" else half
    return None


def reads_ahead(device: torch.device) -> bool | None:
    """What to tell `SequenceReader`: a rank on another device leaves its core to a thread that reads.

    None where the CPU computes: there the number of cores decides.
    """
    return None if device.type == "cpu" else True


def gpu_seconds(device: torch.device, num_ranks: int) -> float:
    """Time since this rank began, once for each rank; 0 where ranks hold no GPU.

    All ranks of a launch begin and end together.
    """
    if device.type != "cuda":
        return 0.0
    return round((time.time() - psutil.Process().create_time()) * num_ranks, 3)


def peak_memory(device: torch.device) -> int:
    """Most memory that this rank has held, in bytes: its tensors on a GPU, else the whole process."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
