"""Network namespaces as a library: what the demo, the namespace tests and the benchmarks stand on.

Nothing in the daemon knows of it. It needs root, Linux, iproute2 and, to capture, tcpdump.
"""

from lispfast.lab.conditions import LabError, until
from lispfast.lab.host import Host, Interface
from lispfast.lab.network import Lab
from lispfast.lab.node import Node
from lispfast.lab.process import Process

__all__ = ["Host", "Interface", "Lab", "LabError", "Node", "Process", "until"]
