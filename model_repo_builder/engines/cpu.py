"""What the CPU at hand multiplies in few bits, as Linux tells its flags."""

from __future__ import annotations

from pathlib import Path

CPU_FLAGS = Path("/proc/cpuinfo")


def _flags(cpuinfo: str) -> list[str]:
    return next((line for line in cpuinfo.splitlines() if line.startswith("flags")), "").split()


def has_vnni(cpuinfo: str) -> bool:
    """Whether the CPU described by /proc/cpuinfo multiplies u8 by s8 without saturating 16-bit sums (VNNI)."""
    return not {"avx512_vnni", "avx_vnni"}.isdisjoint(_flags(cpuinfo))


def has_bf16(cpuinfo: str) -> bool:
    """Whether the CPU described by /proc/cpuinfo multiplies numbers of 16 bits in BF16 (AVX-512 BF16 or AMX)."""
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(_flags(cpuinfo))


def here() -> str:
    """/proc/cpuinfo of this machine; empty where there is none."""
    return CPU_FLAGS.read_text(encoding="utf-8") if CPU_FLAGS.exists() else ""


def weight_range(chosen: str) -> str:
    """`auto` follows the CPU: without VNNI two products of u8 x s8 overflow 16 bits unless weights keep to 7 bits.

    Sources: ONNX Runtime documentation, "Quantize ONNX models", on `reduce_range`; OpenVINO documentation, "Saturation
    (overflow) issue workaround".
    """
    if chosen != "auto":
        return chosen
    return "8bit" if has_vnni(here()) else "7bit"
