# SPDX-License-Identifier: Apache-2.0
"""The lab's package and the peers of tests/ are importable from every system test."""
import os
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
for folder in (os.path.join(TOP, "tools"), os.path.join(TOP, "tests")):
    if folder not in sys.path:
        sys.path.insert(0, folder)
