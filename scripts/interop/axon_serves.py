"""A real Python axon of //Bob, for our dendrite to ask. Usage: axon_serves.py PORT. It serves until its input ends."""

import sys

from peers import make_axon

axon = make_axon(int(sys.argv[1]))
axon.start()
print("ready", axon.wallet.hotkey.ss58_address, flush=True)
sys.stdin.read()
axon.stop()
