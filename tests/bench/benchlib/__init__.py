# SPDX-License-Identifier: Apache-2.0
"""The parts of tests/bench/run. The lab and the peers of the tests are used as they are."""
import os
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path[:0] = [os.path.join(TOP, "tools"), os.path.join(TOP, "tests")]
