// A pad on which an LSTM reads a digit, row by row. Without dependencies: as a widget (render, below) and as a page (show).
// Drawing and preparation compute what lstm_mnist/drawing.py computes, the network what lstm_mnist/inside.py does.

const PAD = 280, PEN = 20; // the pad's side and the pen's width, in pixels
const SIZE = 28, BOX = 20, CENTRE = 14; // MNIST's image, the box a digit fills, the pixel of its centre of mass
const DARK = 64; // the grey level of 255 from which a pixel belongs to a piece of the digit
const CELLS = 16; // of the LSTM, shown
const DOT = 7; // screen pixels of a row
const ROW_TIME = 120; // milliseconds a row, when the reading is played
const STEP = 14; // pad pixels that an arrow key moves the pen
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const BLACK = [0, 0, 0], BLUE = [0, 114, 178], RED = [213, 94, 0];

// Ink: strokes drawn with a round pen, each pixel 0 paper … 1 ink -----------------------------------------------------

export function rasterise(strokes, penWidth) {
  const ink = new Float64Array(PAD * PAD);
  for (const stroke of strokes) stroke.forEach((point, k) => drawLine(ink, stroke[Math.max(k - 1, 0)], point, penWidth / 2));
  return ink;
}

function drawLine(ink, start, end, radius) {
  const clip = (value, low, high) => Math.min(Math.max(value, low), high);
  const [x1, y1, x2, y2] = [...start, ...end].map((value) => clip(value, -PAD, 2 * PAD));
  const first = (a, b) => clip(Math.floor(Math.min(a, b) - radius - 1), 0, PAD);
  const last = (a, b) => clip(Math.ceil(Math.max(a, b) + radius + 1), 0, PAD);
  const dx = x2 - x1, dy = y2 - y1, length = dx * dx + dy * dy;
  for (let row = first(y1, y2); row < last(y1, y2); row++)
    for (let column = first(x1, x2); column < last(x1, x2); column++) {
      let x = column + 0.5 - x1, y = row + 0.5 - y1;
      const along = length > 0 ? clip((x * dx + y * dy) / length, 0, 1) : 0;
      x -= along * dx;
      y -= along * dy;
      const here = clip(radius + 0.5 - Math.sqrt(x * x + y * y), 0, 1), place = PAD * row + column;
      if (here > ink[place]) ink[place] = here;
    }
}

export function inkLevels(ink) {
  const levels = new Uint8Array(PAD * PAD);
  for (let place = 0; place < levels.length; place++) levels[place] = Math.floor(255 * ink[place] + 0.5);
  return levels;
}

// Preparation: MNIST's form, 28 x 28 grey levels ----------------------------------------------------------------------

export function toMnist(levels) {
  let top = PAD, bottom = -1, left = PAD, right = -1;
  for (let row = 0; row < PAD; row++)
    for (let column = 0; column < PAD; column++)
      if (levels[PAD * row + column] > 0) {
        top = Math.min(top, row);
        bottom = row;
        left = Math.min(left, column);
        right = Math.max(right, column);
      }
  if (bottom < 0) return null;
  const rows = bottom - top + 1, columns = right - left + 1, longest = Math.max(rows, columns);
  const fitted = (side) => Math.max(1, Math.floor((2 * BOX * side + longest) / (2 * longest)));
  const height = fitted(rows), width = fitted(columns), sums = new Float64Array(height * width);
  const across = Array.from({ length: columns }, (_, column) => overlaps(column, columns, width));
  for (let row = 0; row < rows; row++) {
    const down = overlaps(row, rows, height);
    for (let column = 0; column < columns; column++) {
      const level = levels[PAD * (top + row) + left + column];
      if (level > 0)
        for (const [i, high] of down) for (const [j, wide] of across[column]) sums[width * i + j] += level * high * wide;
    }
  }
  const area = rows * columns, digit = sums.map((sum) => Math.floor((2 * sum + area) / (2 * area)));
  const total = digit.reduce((sum, level) => sum + level, 0);
  if (total === 0) return new Uint8Array(SIZE * SIZE);
  const start = (places, side) => {
    const moment = digit.reduce((sum, level, place) => sum + level * places(place), 0);
    return Math.min(Math.max(Math.floor(((2 * CENTRE + 1) * total - 2 * moment) / (2 * total)), 0), SIZE - side);
  };
  const first = start((place) => Math.floor(place / width), height), corner = SIZE * first + start((place) => place % width, width);
  const image = new Uint8Array(SIZE * SIZE);
  digit.forEach((level, place) => (image[corner + SIZE * Math.floor(place / width) + (place % width)] = level));
  return image;
}

// The new pixels, of `fresh` along a side, that one of `old` pixels lies in, and how much of it.
function overlaps(place, old, fresh) {
  const found = [];
  for (let k = Math.floor((place * fresh) / old); k * old < (place + 1) * fresh; k++)
    found.push([k, Math.min((place + 1) * fresh, (k + 1) * old) - Math.max(place * fresh, k * old)]);
  return found;
}

// Why an image is not one digit: a key of drawing.REASONS, or null.
export function whyNoDigit(image) {
  if (image === null) return "empty";
  const dark = [...image.keys()].filter((place) => image[place] >= DARK);
  if (dark.length === 0) return "faint";
  const [top, bottom, left, right] = box(dark), height = bottom - top + 1, width = right - left + 1;
  if (width > 2.25 * height) return "wide";
  const ink = image.reduce((sum, level) => sum + level, 0);
  if (width > 0.6 * height && ink > 0.75 * 255 * width * height) return "blot";
  const tall = pieces(dark).map(box).filter((piece) => piece[1] - piece[0] + 1 >= 0.4 * height);
  return tall.some((one) => tall.some((other) => one[1] < other[0] || one[3] < other[2])) ? "two" : null;
}

function pieces(dark) {
  const left = new Set(dark), found = [];
  for (const place of dark) {
    if (!left.delete(place)) continue;
    const piece = [place];
    for (const here of piece) // which grows meanwhile; no digit in the middle of 28 columns reaches round the edge
      for (const step of [-SIZE - 1, -SIZE, -SIZE + 1, -1, 1, SIZE - 1, SIZE, SIZE + 1])
        if (left.delete(here + step)) piece.push(here + step);
    found.push(piece);
  }
  return found;
}

function box(places) {
  const rows = places.map((place) => Math.floor(place / SIZE)), columns = places.map((place) => place % SIZE);
  return [Math.min(...rows), Math.max(...rows), Math.min(...columns), Math.max(...columns)];
}

// The network ---------------------------------------------------------------------------------------------------------

const sigmoid = (z) => 1 / (1 + Math.exp(-z));

export class Network {
  constructor({ name, hidden, classes, type, weights }) {
    Object.assign(this, { name, hidden, classes });
    const values = type === "float16" ? fromHalf(bytes(weights)) : new Float32Array(bytes(weights).buffer);
    const sizes = [SIZE * 4 * hidden, hidden * 4 * hidden, 4 * hidden, hidden * classes, classes];
    let start = 0;
    [this.kernel, this.recurrent, this.bias, this.outputKernel, this.outputBias] = sizes.map((size) =>
      values.subarray(start, (start += size)));
  }

  // The states after each row: Float32Array [28 * hidden] each, logits and belief [28 * classes].
  read(image) {
    const { hidden, classes } = this, states = {};
    for (const name of ["i", "f", "candidate", "o", "c", "h"]) states[name] = new Float32Array(SIZE * hidden);
    for (const name of ["logits", "belief"]) states[name] = new Float32Array(SIZE * classes);
    const { i, f, candidate, o, c, h, logits, belief } = states, z = new Float64Array(4 * hidden);
    const x = Float32Array.from(image, (level) => level / 255);
    for (let t = 0; t < SIZE; t++) {
      z.set(this.bias);
      addProduct(z, x.subarray(SIZE * t, SIZE * (t + 1)), this.kernel);
      if (t > 0) addProduct(z, h.subarray(hidden * (t - 1), hidden * t), this.recurrent);
      for (let k = 0; k < hidden; k++) {
        const here = hidden * t + k, before = t > 0 ? c[here - hidden] : 0;
        i[here] = sigmoid(z[k]);
        f[here] = sigmoid(z[hidden + k]);
        candidate[here] = Math.tanh(z[2 * hidden + k]);
        o[here] = sigmoid(z[3 * hidden + k]);
        c[here] = f[here] * before + i[here] * candidate[here];
        h[here] = o[here] * Math.tanh(c[here]);
      }
      const answers = Float64Array.from(this.outputBias);
      addProduct(answers, h.subarray(hidden * t, hidden * (t + 1)), this.outputKernel);
      logits.set(answers, classes * t);
      const highest = Math.max(...answers), e = answers.map((answer) => Math.exp(answer - highest));
      belief.set(e.map((value) => value / e.reduce((sum, each) => sum + each)), classes * t);
    }
    return states;
  }

  // What z of a gate (0 i, 1 f, 2 candidate, 3 o) of a cell is made of in row t: input, recurrent part, bias.
  parts(image, h, t, gate, cell) {
    const column = this.hidden * gate + cell, width = 4 * this.hidden;
    let input = 0, recurrent = 0;
    for (let k = 0; k < SIZE; k++) input += (image[SIZE * t + k] / 255) * this.kernel[width * k + column];
    if (t > 0)
      for (let k = 0; k < this.hidden; k++) recurrent += h[this.hidden * (t - 1) + k] * this.recurrent[width * k + column];
    return [input, recurrent, this.bias[column]];
  }
}

// z += values · weights, where weights are [values.length, z.length]. Four rows at a time take half as long as one.
function addProduct(z, values, weights) {
  const width = z.length, fours = values.length - (values.length % 4);
  for (let row = 0; row < fours; row += 4) {
    const [p, q, r, s] = values.subarray(row, row + 4);
    if (p === 0 && q === 0 && r === 0 && s === 0) continue; // as in most rows of pixels
    for (let k = 0, w = width * row; k < width; k++, w++)
      z[k] += p * weights[w] + q * weights[w + width] + r * weights[w + 2 * width] + s * weights[w + 3 * width];
  }
  for (let row = fours; row < values.length; row++)
    for (let k = 0; k < width; k++) z[k] += values[row] * weights[width * row + k];
}

const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

// IEEE half-precision numbers, two bytes each, the lower first.
function fromHalf(raw) {
  return Float32Array.from({ length: raw.length / 2 }, (_, k) => {
    const half = raw[2 * k] + 256 * raw[2 * k + 1], exponent = (half >> 10) & 31, fraction = (half & 1023) / 1024;
    const size = exponent === 0 ? fraction * 2 ** -14 : (1 + fraction) * 2 ** (exponent - 15);
    return half >> 15 ? -size : size;
  });
}

const argmax = (values) => values.reduce((best, value, k) => (value > values[best] ? k : best), 0);

const answerAfter = (belief, t) => argmax(belief.subarray((belief.length / SIZE) * (t - 1), (belief.length / SIZE) * t));

// The row, counted from 1, after which the answer is the final one and stays so.
export function decisionRow(belief) {
  let t = SIZE;
  while (t > 1 && answerAfter(belief, t - 1) === answerAfter(belief, SIZE)) t--;
  return t;
}

// The cells whose memory moves most over the rows, in the order of the row where it is farthest from 0.
export function busiestCells(c, hidden) {
  const rows = [...Array(SIZE).keys()];
  const found = Array.from({ length: hidden }, (_, cell) => {
    const path = rows.map((t) => c[hidden * t + cell]), mean = path.reduce((sum, value) => sum + value) / SIZE;
    return { cell, moves: path.reduce((sum, value) => sum + (value - mean) ** 2, 0), peak: argmax(path.map(Math.abs)) };
  });
  found.sort((a, b) => b.moves - a.moves);
  return found.slice(0, CELLS).sort((a, b) => a.peak - b.peak).map(({ cell }) => cell);
}

// The pad -------------------------------------------------------------------------------------------------------------

const STYLE = `
.digit-pad { box-sizing: border-box; max-width: 1280px; padding: 8px 12px; background: #fff; color: #222;
  font: 15px/1.35 system-ui, sans-serif; }
.digit-pad * { box-sizing: border-box; }
.digit-pad p { margin: 0; }
.digit-pad .answer { font-size: 20px; line-height: 34px; height: 34px; overflow: hidden; }
.digit-pad .why { height: 26px; font-size: 14px; }
.digit-pad .detail { height: 42px; overflow: hidden; font-size: 14px; }
.digit-pad .heard { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.digit-pad .desk { display: flex; gap: 10px; align-items: flex-start; }
.digit-pad .paper { width: min(280px, calc(100vw - 140px)); flex: none; border: 1px solid #767676; touch-action: none;
  cursor: crosshair; }
.digit-pad :focus-visible { outline: 3px solid #0072b2; outline-offset: 1px; }
.digit-pad .bars { list-style: none; margin: 0; padding: 0; flex: 1; max-width: 300px; font-variant-numeric: tabular-nums; }
.digit-pad .bars li { display: grid; grid-template-columns: 1em 1fr 3em 1em; gap: 4px; line-height: 25px; }
.digit-pad .bars .track { align-self: center; height: 12px; background: #eee; }
.digit-pad .bars .bar { height: 100%; background: #56b4e9; }
.digit-pad .bars .best .bar { background: #e69f00; }
.digit-pad .bars .best { font-weight: bold; }
.digit-pad .bars span:nth-child(3) { text-align: right; }
.digit-pad .tools { display: flex; flex-wrap: wrap; gap: 6px; margin: 8px 0 2px; align-items: center; }
.digit-pad button, .digit-pad select { font: inherit; min-height: 32px; padding: 2px 10px; border: 1px solid #767676;
  border-radius: 4px; background: #f4f4f4; color: #222; }
.digit-pad select { width: 150px; }
.digit-pad .line { display: flex; gap: 8px; align-items: center; }
.digit-pad .line input { width: 110px; }
.digit-pad .panels { display: flex; flex-wrap: wrap; gap: 6px; }
.digit-pad figure { margin: 0; }
.digit-pad figcaption { font-size: 13px; line-height: 18px; white-space: nowrap; }
.digit-pad figure canvas { display: block; border: 1px solid #bbb; touch-action: pan-y; cursor: row-resize; }
.digit-pad .small { font-size: 13px; color: #444; margin-top: 4px; }
`;

const number = (value, digits = 3) => value.toFixed(digits).replace("-", "−");
const mix = (colour, share) => colour.map((part) => Math.round(255 + (part - 255) * share)); // white where share is 0
const sumOf = (parts) => parts.map((part) => number(part, 2)).join(" + ").replaceAll("+ −", "− ");
const percent = (value) => `${Math.round(100 * value)}%`;
const withArticle = (digit) => `${/^(8|11$|18$)/.test(digit) ? "an" : "a"} ${digit}`;

function make(parent, tag, settings = {}, text = "") {
  const element = parent.appendChild(document.createElement(tag));
  for (const [name, value] of Object.entries(settings)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}

const EMPTY = () => ({ strokes: [], pen_width: PEN, picture: "" });

// Builds the pad in `place`. `data` is what pad.pad_data gives; `saved` is called with each drawing once the pen rests.
export function show(place, data, saved = () => {}) {
  const networks = data.networks.map((network) => new Network(network)), [network] = networks;
  let drawing = EMPTY(), history = [], ink, image, reason, states, cells, decided;
  let row = SIZE, picked = null, pen = null, timer = null, cursor = [PAD / 2, PAD / 4];

  const small = document.createElement("canvas");
  small.height = SIZE;

  make(place, "style", {}, STYLE);
  const root = make(place, "div", { class: "digit-pad", "data-lm-suppress-shortcuts": "true" });
  const answer = make(root, "p", { class: "answer" });
  const why = make(root, "p", { class: "why" });
  const heard = make(root, "p", { class: "heard", role: "status", "aria-live": "polite" });
  const desk = make(root, "div", { class: "desk" });
  const paper = make(desk, "canvas", { class: "paper", width: PAD, height: PAD, tabindex: 0, role: "img",
    "aria-label": "pad to draw a digit on: arrow keys draw, Shift and an arrow move the pen" });
  const bars = make(desk, "ol", { class: "bars", "aria-label": "belief in each digit" });
  const items = Array.from({ length: network.classes }, (_, digit) => {
    const item = make(bars, "li");
    make(item, "span", {}, digit);
    make(make(item, "div", { class: "track" }), "div", { class: "bar" });
    make(item, "span");
    make(item, "span");
    return item;
  });
  const tools = make(root, "div", { class: "tools" });
  const button = (name, action) => make(tools, "button", { type: "button" }, name).addEventListener("click", action);
  button("Play", () => play());
  const playButton = tools.lastChild;
  button("Undo", undo);
  button("Clear", clear);
  const choice = make(tools, "select", { "aria-label": "take a digit" });
  const line = make(root, "label", { class: "line" }, "row");
  const slider = make(line, "input", { type: "range", min: 1, max: SIZE, value: SIZE });
  const after = make(line, "span");
  const detail = make(root, "p", { class: "detail" });
  const panels = make(root, "div", { class: "panels" });
  make(root, "p", { class: "small" }, `Each panel: row 1 above, row ${SIZE} below. White is 0, blue positive, red negative; a ` +
    `red dot is the answer so far. The gates are those of the ${CELLS} cells whose memory moves most, a column each.`);
  make(root, "p", { class: "small" }, "Keys on the pad: arrows draw, Shift and an arrow move the pen, Backspace takes back " +
    "the last step, Escape clears (Backspace brings it back), Enter plays the reading.");
  if (networks.length > 1)
    make(root, "p", { class: "small" }, `Beside it ${networks[1].name}. A network that was asked after row 28 alone, as ` +
      "2019 was, never learned what to say before: its early beliefs are no guide, however sure they look.");

  // Each panel: 28 rows of values, `look` a colour for (value), `tell` the numbers and the equation of one place.
  const shown = [
    { name: "pixels", columns: SIZE, width: DOT, at: (t, k) => image[SIZE * t + k] / 255, look: (v) => mix(BLACK, v),
      tell: (t, k) => `Pixel ${k + 1} of row ${t + 1}: ${image[SIZE * t + k]} / 255 = ${number(image[SIZE * t + k] / 255)}` },
    ...networks.map((one, n) => ({
      name: n === 0 ? "belief after row t" : `${one.name} believes`, columns: one.classes, width: 14, belief: n,
      at: (t, k) => states[n].belief[one.classes * t + k], look: (v) => mix(BLUE, v), tell: (t, k) => tellBelief(n, t, k),
    })),
    ...["f", "i", "candidate", "c", "o", "h"].map((name) => ({
      name: { f: "f forget gate", i: "i input gate", o: "o output gate", c: "c memory", h: "h shown" }[name] ?? name, state: name, columns: CELLS, width: DOT,
      at: (t, k) => (k < cells.length ? states[0][name][network.hidden * t + cells[k]] : 0),
      look: (v) => (v < 0 ? mix(RED, -v) : mix(BLUE, v)), tell: (t, k) => tellState(name, t, cells[k]),
    })),
  ];
  for (const panel of shown) {
    const figure = make(panels, "figure");
    make(figure, "figcaption", {}, panel.name);
    panel.canvas = make(figure, "canvas", { width: panel.columns * panel.width, height: SIZE * DOT, tabindex: 0, role: "img",
      "aria-label": `${panel.name}, row by row; arrow keys choose a row and a column` });
    listen(panel);
  }

  // Choices
  make(choice, "option", { value: "" }, "take a digit …");
  const group = (label) => make(choice, "optgroup", { label });
  const offers = [];
  const offer = (parent, name, taken) => make(parent, "option", { value: offers.push(taken) }, name);
  for (const [label, pictures] of Object.entries(data.pictures)) {
    const parent = group(label);
    for (const [name, picture] of Object.entries(pictures)) offer(parent, name, { ...EMPTY(), picture });
  }
  const drawn = group("drawn digits");
  for (const { digit, way, strokes, pen_width } of data.drawn)
    offer(drawn, `${digit}, ${way}`, { strokes, pen_width, picture: "" });
  choice.addEventListener("change", () => {
    change(offers[choice.value - 1]);
    choice.value = "";
    rest();
  });

  // Drawing
  function change(to) {
    stop();
    history.push(drawing);
    take(to);
  }
  function take(to) {
    pen = null;
    const finite = to.strokes.map((stroke) => stroke.filter((point) => point.every(Number.isFinite)));
    drawing = { ...to, strokes: finite.filter((stroke) => stroke.length > 0) };
    ink = rasterise(drawing.strokes, drawing.pen_width);
    look();
  }
  function undo() {
    if (history.length === 0) return;
    stop();
    take(history.pop());
    rest();
  }
  function clear() {
    if (drawing.strokes.length > 0 || drawing.picture) change(EMPTY());
    rest();
  }
  function penDown(point) {
    stop();
    history.push(drawing);
    const start = drawing.picture ? EMPTY() : drawing;
    drawing = { ...start, strokes: [...start.strokes, []] };
    if (start !== history.at(-1)) ink.fill(0);
    penMove([point]);
  }
  function penMove(points) {
    const stroke = drawing.strokes.at(-1);
    for (const point of points) {
      stroke.push(point);
      drawLine(ink, stroke.at(-2) ?? point, point, drawing.pen_width / 2);
    }
    look();
  }
  // The pen rests: a screen reader hears the answer, the kernel hears of the drawing.
  function rest() {
    heard.textContent = answer.textContent;
    saved(drawing);
  }

  // Reading
  function look() {
    image = drawing.picture ? bytes(drawing.picture) : toMnist(inkLevels(ink));
    reason = whyNoDigit(image);
    states = reason ? null : networks.map((each) => each.read(image));
    cells = states ? busiestCells(states[0].c, network.hidden) : [];
    decided = states && decisionRow(states[0].belief);
    row = SIZE;
    render();
  }
  function play() {
    if (timer !== null || !states) return stop();
    row = 0;
    playButton.textContent = "Stop";
    timer = setInterval(() => (row < SIZE ? toRow(row + 1) : stop()), ROW_TIME);
  }
  function stop() {
    clearInterval(timer);
    timer = null;
    playButton.textContent = "Play";
    row = SIZE;
    if (image !== undefined) render();
  }
  function toRow(t) {
    row = t;
    render();
  }

  // Showing
  function render() {
    paintPaper();
    const belief = states && states[0].belief.subarray(network.classes * (row - 1), network.classes * row);
    const best = belief && argmax(belief), final = states && answerAfter(states[0].belief, SIZE);
    items.forEach((item, digit) => {
      const value = belief ? belief[digit] : 0, [, track, share, mark] = item.children;
      item.className = digit === best ? "best" : "";
      track.firstChild.style.width = percent(value);
      share.textContent = belief ? percent(value) : "";
      mark.textContent = digit === best ? "◀" : "";
    });
    answer.textContent = states
      ? `I read ${withArticle(final)} (${percent(states[0].belief[network.classes * (SIZE - 1) + final])}).`
      : data.notes[reason];
    why.textContent = states ? `The answer is ${final} from row ${decided} on (framed).` : "";
    slider.value = row;
    after.textContent = belief ? `after row ${row}: ${withArticle(best)} (${percent(belief[best])})` : "";
    for (const panel of shown) paintPanel(panel);
    detail.textContent = picked && states ? picked.panel.tell(picked.t, picked.k)
      : "Point at a panel: here you see the numbers of that place and their equation.";
  }
  function paintPaper() {
    const context = paper.getContext("2d"), pixels = context.createImageData(PAD, PAD);
    const colours = new Uint32Array(pixels.data.buffer); // four bytes a pixel: red, green, blue, opacity
    for (let place = 0; place < colours.length; place++) {
      const pixel = SIZE * Math.floor(place / PAD / 10) + Math.floor((place % PAD) / 10);
      const grey = Math.round(255 - (drawing.picture ? image[pixel] : 255 * ink[place]));
      colours[place] = grey * 0x010101 + 0xff000000;
    }
    context.putImageData(pixels, 0, 0);
    if (root.getRootNode().activeElement !== paper) return;
    const [x, y] = cursor;
    context.strokeStyle = "#d55e00";
    context.strokeRect(x - 6, y + 0.5, 12, 0);
    context.strokeRect(x + 0.5, y - 6, 0, 12);
  }
  function paintPanel({ canvas, columns, width, at, look, state, belief }) {
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!image || (!states && columns !== SIZE)) return;
    const scale = state === "c" ? Math.max(...cells.flatMap((_, k) => [...Array(SIZE).keys()].map((t) => Math.abs(at(t, k))))) : 1;
    const pixels = new ImageData(columns, SIZE);
    for (let t = 0; t < SIZE; t++)
      for (let k = 0; k < columns; k++)
        pixels.data.set([...look(at(t, k) / scale), t < row ? 255 : 64], 4 * (columns * t + k));
    small.width = columns;
    small.getContext("2d").putImageData(pixels, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, canvas.width, canvas.height);
    context.fillStyle = "#d55e00";
    if (belief !== undefined)
      for (let t = 0; t < SIZE; t++)
        context.fillRect(width * (answerAfter(states[belief].belief, t + 1) + 0.5) - 2, DOT * (t + 0.5) - 2, 4, 4);
    if (row < SIZE) context.fillRect(0, DOT * row - 1, canvas.width, 2);
    context.strokeStyle = "#222";
    if (belief === 0) frame(answerAfter(states[0].belief, SIZE), decided - 1, 1);
    if (picked?.panel.canvas === canvas) frame(picked.k, picked.t, 2);
    function frame(k, t, thick) {
      context.lineWidth = thick;
      context.strokeRect(width * k + 0.5, DOT * t + 0.5, width - 1, DOT - 1);
    }
  }
  function tellBelief(n, t, digit) {
    const { classes } = networks[n], here = states[n].logits.subarray(classes * t, classes * (t + 1));
    const sum = here.reduce((total, logit) => total + Math.exp(logit), 0);
    return `Belief in ${digit} after row ${t + 1} = e^logit / sum over all digits = e^${number(here[digit], 2)} / ` +
      `${sum.toPrecision(3)} = ${number(Math.exp(here[digit]) / sum)}`;
  }
  function tellState(name, t, cell) {
    if (cell === undefined) return "";
    const value = (state, at = t) => number(at < 0 ? 0 : states[0][state][network.hidden * at + cell]);
    const place = `Cell ${cell}, row ${t + 1}: `;
    if (name === "c") return `${place}c = f · c before + i · candidate = ${value("f")} · ${value("c", t - 1)} + ` +
      `${value("i")} · ${value("candidate")} = ${value("c")}`;
    if (name === "h") return `${place}h = o · tanh(c) = ${value("o")} · tanh(${value("c")}) = ${value("h")}`;
    const parts = network.parts(image, states[0].h, t, ["i", "f", "candidate", "o"].indexOf(name), cell);
    const sum = parts.reduce((total, part) => total + part), bend = name === "candidate" ? "tanh" : "σ";
    return `${place}${name} = ${bend}(x·W + h before·U + b) = ${bend}(${sumOf(parts)}) = ` +
      `${bend}(${number(sum, 2)}) = ${value(name)}`;
  }

  // Hands: pointer and keys
  const pointOf = (event) => {
    const { left, top, width } = paper.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top].map((value) => Math.round((10 * value * PAD) / width) / 10);
  };
  paper.addEventListener("pointerdown", (event) => {
    if (pen !== null || event.button !== 0) return;
    pen = event.pointerId; // what other fingers do is no drawing
    paper.setPointerCapture(pen);
    paper.focus({ preventScroll: true });
    event.preventDefault();
    penDown(pointOf(event));
  });
  paper.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pen) return;
    const all = event.getCoalescedEvents?.() ?? [];
    penMove((all.length > 0 ? all : [event]).map(pointOf));
  });
  for (const end of ["pointerup", "pointercancel"])
    paper.addEventListener(end, (event) => {
      if (event.pointerId !== pen) return;
      pen = null;
      rest();
    });
  for (const name of ["focus", "blur"]) paper.addEventListener(name, () => paintPaper());
  paper.addEventListener("keydown", (event) => {
    const act = { Backspace: undo, Escape: clear, Enter: play }[event.key];
    if (event.key in ARROWS) {
      const start = cursor;
      cursor = cursor.map((value, k) => Math.min(Math.max(value + STEP * ARROWS[event.key][k], 0), PAD));
      if (event.shiftKey) return event.preventDefault(), paintPaper();
      const last = drawing.strokes.at(-1)?.at(-1);
      if (last && last[0] === start[0] && last[1] === start[1]) penMove([cursor]);
      else {
        penDown(start);
        penMove([cursor]);
      }
      rest();
    } else if (act) act();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  slider.addEventListener("input", () => {
    const wanted = Number(slider.value);
    stop();
    toRow(wanted);
  });
  function listen(panel) {
    const { canvas, columns, width } = panel;
    const pick = (event) => {
      const [left, top] = [event.offsetX, event.offsetY];
      const inside = (value, count) => Math.min(Math.max(Math.floor(value), 0), count - 1);
      picked = { panel, t: inside(top / DOT, SIZE), k: inside(left / width, columns) };
      if (!event.buttons) return render();
      stop();
      toRow(picked.t + 1);
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      pick(event);
    });
    canvas.addEventListener("pointermove", pick);
    canvas.addEventListener("keydown", (event) => {
      if (!(event.key in ARROWS) || !image) return;
      const [across, down] = ARROWS[event.key], from = picked?.panel === panel ? picked : { t: row - 1, k: 0 };
      const inside = (value, count) => Math.min(Math.max(value, 0), count - 1);
      picked = { panel, t: inside(from.t + down, SIZE), k: inside(from.k + across, columns) };
      event.preventDefault();
      event.stopPropagation();
      stop();
      toRow(picked.t + 1);
      heard.textContent = detail.textContent;
    });
  }

  take(drawing);
  return { take: (to) => change(to), stop };
}

// As a widget of a notebook: the kernel's `drawing` and the pad's are kept the same.
function render({ model, el }) {
  const pad = show(el, model.get("data"), (drawing) => {
    own = JSON.stringify(drawing);
    model.set("drawing", drawing);
    model.save_changes();
  });
  let own = "";
  const follow = () => {
    if (JSON.stringify(model.get("drawing")) !== own) pad.take(model.get("drawing"));
  };
  follow();
  model.on("change:drawing", follow);
  return () => {
    pad.stop();
    model.off("change:drawing", follow);
  };
}

export default { render };
