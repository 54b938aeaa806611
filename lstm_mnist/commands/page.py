"""``python -m lstm_mnist page``: the pad as one HTML file that needs no kernel, no server and no network."""

import json
import webbrowser

from ..pad import PAD_MODULE, known_pictures, pad_data
from ..pretrained import load_pretrained

NETWORK = "best_every_row"  # trained to answer after every row

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'">
<title>Draw a digit, and an LSTM reads it</title>
<style>body { margin: 0 } h1 { font: bold 17px system-ui, sans-serif; margin: 8px 12px 0 }</style>
<h1>Draw a digit, and an LSTM reads it</h1>
<main id="pad"></main>
<script type="application/json" id="data">DATA</script>
<script type="module">
MODULE
show(document.getElementById("pad"), JSON.parse(document.getElementById("data").textContent));
</script>
</html>
"""


def make_page(path, look=False):
    """Write the page to ``path``, and open it in a browser where ``look`` asks for it.

    Its weights are float16, half the size: the answers on the 10,000 test images stay the same (tests/test_pad.py).
    """
    model = load_pretrained(NETWORK)
    data = pad_data(model, load_pretrained("2019"), known_pictures(model), dtype="float16")
    data = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")  # so that no text ends the script
    page = PAGE.replace("MODULE", PAD_MODULE.read_text(encoding="utf-8")).replace("DATA", data)
    path.write_text(page, encoding="utf-8")
    if look:
        webbrowser.open(path.resolve().as_uri())
