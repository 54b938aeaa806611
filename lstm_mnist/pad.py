"""A pad to draw a digit on, on which the LSTM reads it row by row."""

import asyncio
import base64
import io
import time

import ipywidgets as widgets
import numpy as np
import tensorflow as tf
from ipycanvas import MultiCanvas, hold_canvas
from PIL import Image

from .drawing import FULLEST_DIGIT, PAD_SIZE, PEN_WIDTH, SIZE, load_drawn_digits, rasterise, to_mnist
from .inside import logits_after_each_row
from .plots import ORANGE, RED, SKY

LOOK_EVERY = 0.1  # seconds between two beliefs while the pen moves

ROW_TIME = 0.12  # seconds a row, when the reading is played

STEP = 14  # pad pixels that an arrow key moves the pen

ARROWS = {"ArrowLeft": (-STEP, 0), "ArrowRight": (STEP, 0), "ArrowUp": (0, -STEP), "ArrowDown": (0, STEP)}

EMPTY_NOTE = "Draw a digit, 0 to 9, with mouse, finger or arrow keys (Shift and an arrow lift the pen)."

DOT_NOTE = "Only a dot so far: draw a whole digit."

FULL_NOTE = "Mostly ink: clear the pad and draw a digit with more paper around its lines."


class DigitPad(widgets.VBox):
    """A pad to draw a digit on, the digit as the network sees it, and the network's belief, in JupyterLab or Voilà.

    Mouse, finger and keyboard (arrow keys on the pad) all call ``pen_down``, ``pen_move`` and ``pen_up``; so does
    ``replay`` with recorded strokes. ``model`` is an ``LSTMClassifier`` for rows of 28 pixels, else ``ValueError``.
    """

    def __init__(self, model, pen_width=PEN_WIDTH):
        if model.num_features != SIZE:
            raise ValueError(f"the model reads rows of {model.num_features} pixels: the pad makes rows of {SIZE}")
        self.num_classes, self.own_pen_width = model.num_classes, pen_width
        compiled = tf.function(lambda images: logits_after_each_row(model, images))  # eager costs 50 times as much
        self._logits_of = compiled.get_concrete_function(tf.TensorSpec([1, SIZE, SIZE], tf.uint8))
        self.note = ""
        self._playing = None
        self._canvas = MultiCanvas(2, width=PAD_SIZE, height=PAD_SIZE, layout={"width": f"{PAD_SIZE}px"})
        self._picture, self._bars, self._status = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self._start_over()
        self._read = self._button("Read it", "play the reading, row by row", self.read, "primary")
        self._undo = self._button("Undo", "take back the last stroke", self.undo)
        self._clear = self._button("Clear", "start with an empty pad", self.clear)
        options = [("take a drawn digit …", None)] + [(f"{d.digit}, {d.way}", d) for d in load_drawn_digits()]
        self._choice = widgets.Dropdown(options=options, index=0, description="or", layout={"width": f"{PAD_SIZE}px"})
        self._choice.style.description_width = "1.5em"
        self._choice.observe(lambda change: change["new"] and self.replay(change["new"]), "value")
        self._listen()
        buttons = widgets.HBox([self._read, self._undo, self._clear])
        row = widgets.HBox([widgets.VBox([self._canvas, buttons, self._choice]), self._picture, self._bars])
        row.layout.flex_flow = "row wrap"
        super().__init__([self._status, row])
        self.show_row(SIZE)

    def __repr__(self):
        return f"DigitPad({len(self.strokes)} stroke{'' if len(self.strokes) == 1 else 's'}: {self.note})"

    @property
    def probabilities(self):
        """The belief after each row: float32 ``[28, num_classes]``, or ``None`` where there is nothing to read."""
        if self.logits is None:
            return None
        e = np.exp(self.logits - self.logits.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    @property
    def answer(self):
        """The digit that the network reads after the last row, or ``None``."""
        return None if self.logits is None else int(self.logits[-1].argmax())

    def pen_down(self, x, y):
        """Begin a stroke."""
        self._stop()
        self._pen_is_down = True
        self.strokes.append([(x, y)])
        self._ink(x, y, x, y)

    def pen_move(self, x, y):
        """Draw on, where the pen is down."""
        if self._pen_is_down:
            self._ink(*self.strokes[-1][-1], x, y)
            self.strokes[-1].append((x, y))
            if time.monotonic() > self._looked + LOOK_EVERY:
                self.look()

    def pen_up(self, x=None, y=None):
        """End the stroke and read what is there."""
        if self._pen_is_down:
            self._pen_is_down = False
            self.look()

    def replay(self, drawn):
        """Draw a ``DrawnDigit`` on the cleared pad, through the handlers that a mouse calls."""
        self._stop()
        self._start_over()
        self._redraw()
        self.pen_width = drawn.pen_width
        with hold_canvas():
            for first, *others in drawn.strokes:
                self.pen_down(*first)
                for point in others:
                    self.pen_move(*point)
                self.pen_up()

    def undo(self, _button=None):
        """Take back the last stroke."""
        self._stop()
        self._pen_is_down = False
        del self.strokes[-1:]
        self._redraw()
        self.look()

    def clear(self, _button=None):
        """Start with an empty pad and its own pen."""
        self._stop()
        self._start_over()
        self._choice.index = 0
        self._redraw()
        self.look()

    def look(self):
        """Bring the strokes to MNIST's form and let the network read them: sets ``image`` and ``logits``."""
        ink = rasterise(self.strokes, self.pen_width)
        self.image, self.logits, self._fault = None, None, EMPTY_NOTE
        if ink.any():
            self.image = to_mnist(ink)
            points = np.concatenate([np.reshape(stroke, (-1, 2)) for stroke in self.strokes])
            self._fault = DOT_NOTE if np.ptp(points, axis=0).max() < PEN_WIDTH else None
            if self.image.mean() > FULLEST_DIGIT * 255:
                self._fault = FULL_NOTE
        if self._fault is None:
            self.logits = self._logits_of(tf.constant(self.image[None]))[0].numpy()
        self.show_row(SIZE)
        self._looked = time.monotonic()

    def show_row(self, t):
        """Show the digit as read up to row ``t`` = 1 … 28, and the belief after it."""
        self._picture.value = _picture_html(self.image, t)
        belief = None if self.logits is None else self.probabilities[t - 1]
        self._bars.value = _bars_html(belief, self.num_classes)
        if belief is None:
            self.note = self._fault
        elif t < SIZE:
            self.note = f"Row {t} of {SIZE}: so far a {belief.argmax()} ({belief.max():.0%})."
        else:
            self.note = f"I read a {belief.argmax()} ({belief.max():.0%})."
        self._status.value = f'<div role="status" aria-live="polite" style="font-size: 1.2em">{self.note}</div>'

    def read(self, _button=None):
        """Play the reading: the line goes down row by row, and the belief with it."""
        self._stop()
        if self.logits is not None:
            self._playing = asyncio.get_running_loop().create_task(self._play())

    async def _play(self):
        for t in range(1, SIZE + 1):
            self.show_row(t)
            await asyncio.sleep(ROW_TIME)

    def _stop(self):
        """End a reading that is being played; the belief after the last row comes back."""
        if self._playing is not None:
            self._playing.cancel()
            self._playing = None
            self.show_row(SIZE)

    def _start_over(self):
        self.strokes, self.pen_width = [], self.own_pen_width
        self.image, self.logits, self._fault = None, None, EMPTY_NOTE
        self._pen_is_down, self._looked = False, 0.0
        self._cursor = (PAD_SIZE // 2, PAD_SIZE // 4)

    def _button(self, name, tooltip, action, style=""):
        button = widgets.Button(description=name, tooltip=tooltip, button_style=style, layout={"width": "88px"})
        button.on_click(action)
        return button

    def _listen(self):
        canvas = self._canvas
        canvas.on_client_ready(self._redraw)
        canvas.on_mouse_down(self.pen_down)
        canvas.on_mouse_move(self.pen_move)
        canvas.on_mouse_up(self.pen_up)
        canvas.on_mouse_out(self.pen_up)
        canvas.on_touch_start(lambda fingers: self._pen_is_down or self.pen_down(*fingers[0]))
        canvas.on_touch_move(lambda fingers: self.pen_move(*fingers[0]))
        canvas.on_touch_end(lambda fingers: fingers or self.pen_up())
        canvas.on_touch_cancel(lambda fingers: self.pen_up())
        canvas.on_key_down(self._key)

    def _key(self, key, shift, _control, _meta):
        """Arrows draw, Shift and an arrow move the pen, Backspace undoes, Escape clears, Enter reads, Tab goes on."""
        if key in ARROWS:
            start = self._cursor
            self._cursor = tuple(int(np.clip(a + b, 0, PAD_SIZE)) for a, b in zip(start, ARROWS[key], strict=True))
            if not shift:
                if not (self.strokes and self.strokes[-1][-1] == start):
                    self.pen_down(*start)
                self._pen_is_down = True
                self.pen_move(*self._cursor)
                self.pen_up()
            self._redraw()
        elif key == "Tab":  # ipycanvas swallows it, which would hold the focus on the pad for ever
            (self._choice if shift else self._read).focus()
        elif key in ("Backspace", "Escape", "Enter"):
            {"Backspace": self.undo, "Escape": self.clear, "Enter": self.read}[key]()

    def _ink(self, x1, y1, x2, y2):
        ink = self._canvas[1]
        with hold_canvas():
            ink.line_width, ink.line_cap = self.pen_width, "round"
            ink.stroke_line(x1, y1, x2 + 0.01, y2)  # a line of no length would leave no dot

    def _redraw(self):
        """The whole pad: paper with its edge and the keyboard's pen, and all strokes."""
        paper, ink = self._canvas[0], self._canvas[1]
        with hold_canvas():
            paper.fill_style, paper.stroke_style = "white", "grey"
            paper.fill_rect(0, 0, PAD_SIZE)
            paper.stroke_rect(0.5, 0.5, PAD_SIZE - 1)
            x, y = self._cursor
            paper.stroke_lines([(x - 5, y), (x + 5, y)])
            paper.stroke_lines([(x, y - 5), (x, y + 5)])
            ink.clear()
            for stroke in self.strokes:
                for (x1, y1), (x2, y2) in zip(stroke, stroke[1:] or stroke, strict=False):
                    self._ink(x1, y1, x2, y2)


def _picture_html(image, t, zoom=8):
    """The digit as the network sees it, rows not yet read in pale, a line under row ``t``."""
    pixels = np.zeros((SIZE, SIZE), np.uint8) if image is None else image
    grey = 255 - pixels.astype(float)
    grey[t:] = 255 - 0.25 * (255 - grey[t:])
    picture = np.repeat(grey[:, :, None], 3, axis=2).astype(np.uint8).repeat(zoom, axis=0).repeat(zoom, axis=1)
    if image is not None and t < SIZE:
        picture[zoom * t - 2 : zoom * t + 1] = [int(RED[k : k + 2], 16) for k in (1, 3, 5)]
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "png")
    text = "nothing yet" if image is None else f"28 × 28 pixels, read up to row {t}"
    data, side = base64.b64encode(file.getvalue()).decode(), zoom * SIZE
    return (
        f'<figure style="margin: 0 12px; width: {side + 2}px; line-height: 1.3"><img style="border: 1px solid grey" '
        f'alt="the digit as the network sees it: {text}" width="{side}" height="{side}" '
        f'src="data:image/png;base64,{data}"><figcaption>as the network sees it: {text}</figcaption></figure>'
    )


def _bars_html(belief, num_classes):
    """The belief in each class as a bar and in figures; the strongest is marked in words, not by colour alone."""
    rows = []
    for k in range(num_classes):
        p = 0.0 if belief is None else float(belief[k])
        best = belief is not None and k == belief.argmax()
        bar = f"height: 14px; width: {150 * p:.0f}px; background: {ORANGE if best else SKY}"
        rows.append(
            f'<tr style="line-height: 1.6"><th scope="row">{k}</th>'
            f'<td style="width: 150px"><div style="{bar}"></div></td>'
            f'<td style="text-align: right; width: 4em">{"" if belief is None else f"{p:.1%}"}</td>'
            f"<td>{'◀ answer' if best else ''}</td></tr>"
        )
    return f'<table><caption style="text-align: left">belief</caption>{"".join(rows)}</table>'
