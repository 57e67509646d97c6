"""What the comparisons with other servers have in common: pinned processes, the load, servers, and figures."""

import sys

# The directory of the scripts stays free of compiled files.
sys.dont_write_bytecode = True
