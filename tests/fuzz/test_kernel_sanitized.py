"""The C kernel under AddressSanitizer and UndefinedBehaviorSanitizer: its own tests once more."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from support.examples import TIMES

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 240


@pytest.mark.slow
def test_the_kernel_is_clean_under_the_sanitizers(tmp_path: Path) -> None:
    gcc = shutil.which("gcc")
    include = Path(sysconfig.get_path("include"))
    if gcc is None or not (include / "Python.h").exists():
        pytest.skip("THE C KERNEL IS NOT CHECKED: gcc or Python's headers are missing")
    shutil.copytree(ROOT / "media", tmp_path / "media", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    shutil.copy(ROOT / "tests" / "unit" / "test_kernel_native.py", tmp_path)
    kernel = tmp_path / "media" / "kernel"
    subprocess.run(
        [
            *(
                gcc,
                "-g",
                "-O1",
                "-std=c11",
                "-Wall",
                "-Wextra",
                "-Werror",
                "-shared",
                "-fPIC",
                f"-I{include}",
            ),
            *("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"),
            *map(str, sorted(kernel.glob("*.c"))),
            *("-o", str(kernel / f"_native{sysconfig.get_config_var('EXT_SUFFIX')}")),
        ],
        check=True,
    )
    runtime = subprocess.run([gcc, "-print-file-name=libasan.so"], check=True, capture_output=True, text=True)
    environment = {
        **os.environ,
        "LD_PRELOAD": runtime.stdout.strip(),
        "ASAN_OPTIONS": "detect_leaks=0",  # the interpreter itself keeps what it allocates
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT / 'tests'}",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(tmp_path)]
    run = subprocess.run(
        [*command, "-p", "no:cacheprovider", str(tmp_path / "test_kernel_native.py")],
        cwd=tmp_path,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S * TIMES,
    )
    assert run.returncode == 0, run.stdout[-4_000:] + run.stderr[-4_000:]
    assert " passed" in run.stdout
    assert "skipped" not in run.stdout
