"""The extension: one Limited-API module over the C data plane. Everything else stands in pyproject.toml."""

from __future__ import annotations

from glob import glob

from Cython.Build import cythonize
from setuptools import Extension, setup

LIMITED_API = "0x030b0000"  # CPython 3.11, as requires-python says

FASTPATH = Extension(
    "lispfast._fastpath",
    sources=["lispfast/_fastpath.pyx", *sorted(glob("lispfast/_native/*.c"))],
    depends=[*sorted(glob("lispfast/_native/*.h")), *sorted(glob("lispfast/_native/*.def")), "lispfast/_fastpath.pxd"],
    include_dirs=["lispfast"],
    define_macros=[("Py_LIMITED_API", LIMITED_API), ("CYTHON_LIMITED_API", "1")],
    extra_compile_args=[
        "-std=gnu11",
        "-O2",
        "-pthread",
        "-fvisibility=hidden",
        "-Werror=implicit-function-declaration",
    ],
    extra_link_args=["-pthread"],
    py_limited_api=True,
)

setup(
    ext_modules=cythonize([FASTPATH], language_level=3),
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
