"""Import the package where there is no error output, or a closed one, and write to the file behind it afterwards."""

import os
import sys

if sys.argv[1] == "absent":
    sys.stderr = None
if sys.argv[1] == "closed":
    sys.stderr.close()
    os.open(os.devnull, os.O_WRONLY)
if sys.argv[1] == "descriptor closed":
    os.close(2)

import lstm_mnist

print(lstm_mnist.__name__, flush=True)
if sys.argv[1] == "absent":
    os.write(2, b"still there")
