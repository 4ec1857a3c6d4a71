import sys
from pathlib import Path

# The test host's package: the virtual machine is another Guest of it.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "machine"))
