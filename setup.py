"""The optional part of the build: the fan-out in C. Where it cannot be compiled, the Python one serves."""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "media.kernel._native",
            sources=[f"media/kernel/{name}.c" for name in ("rewrite", "history", "slots", "send", "table")],
            depends=["media/kernel/kernel.h"],
            extra_compile_args=["-O2", "-std=c11", "-Wall", "-Wextra"],
            optional=True,
        )
    ]
)
