import platform
import subprocess
import sys

import pytest

CODE = """
import resource, torch
from gentra_lora.base.allocator import keep_freed_memory
keep_freed_memory()
def work():
    kept = [torch.empty(500_000).fill_(1) for _ in range(50)]  # 2 MB each
work()
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told anything")
def test_memory_of_freed_tensors_is_not_asked_for_again():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 25_000  # a tenth of the pages that ten rounds touch
