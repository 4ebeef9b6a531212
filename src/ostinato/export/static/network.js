/**
 * The network forward, for B melodies at once: `generation/network.py` once more. Weights are single precision, all
 * that is computed is double.
 */

const FORGET_BIAS = 1;
const BLOCK = 4; // columns whose sums stay in the processor's registers together

/** The arrays of a safetensors file, as Float32Array with a shape, and its metadata. */
export function readWeights(buffer) {
  const length = buffer.byteLength > 8 ? Number(new DataView(buffer).getBigUint64(0, true)) : Infinity;
  if (!(length <= buffer.byteLength - 8)) throw new Error("these are no weights that ostinato export wrote");
  const { __metadata__: metadata, ...entries } = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  const raw = {};
  for (const [name, { dtype, shape, data_offsets: [start, end] }] of Object.entries(entries)) {
    const bytes = buffer.slice(8 + length + start, 8 + length + end);
    if (!Object.hasOwn(READERS, dtype)) throw new Error(`array ${name} is of ${dtype}, which this script does not read`);
    raw[name] = { values: READERS[dtype](bytes), shape };
  }
  const arrays = {};
  for (const [name, array] of Object.entries(raw)) {
    if (name.endsWith(SCALE)) continue;
    arrays[name] = raw[name + SCALE] ? unscaled(array, raw[name + SCALE].values) : array;
  }
  return { metadata, arrays };
}

const SCALE = ".scale"; // of an array of 8 bits, one number for each column
const READERS = {
  F32: (bytes) => new Float32Array(bytes),
  F16: (bytes) => Float32Array.from(new Uint16Array(bytes), halfToNumber),
  I8: (bytes) => new Int8Array(bytes),
};

function halfToNumber(half) {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = (half & 1023) / 1024;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction) : 2 ** -14 * fraction);
}

function unscaled({ values, shape }, scales) {
  return { values: Float32Array.from(values, (value, i) => value * scales[i % scales.length]), shape };
}

/** Some rows of a kernel whose inputs are mostly zero: [X, N] row by row. */
class SparseRows {
  constructor(values, numRows, numColumns) {
    Object.assign(this, { values, numRows, numColumns });
  }

  /** Add inputs [B, X] @ rows to sums [B, N]. */
  add(inputs, batchSize, sums) {
    const { values, numRows, numColumns } = this;
    for (let melody = 0; melody < batchSize; melody += 1) {
      const out = sums.subarray(melody * numColumns, (melody + 1) * numColumns);
      for (let row = 0; row < numRows; row += 1) {
        const input = inputs[melody * numRows + row];
        if (input === 0) continue;
        const weights = values.subarray(row * numColumns, (row + 1) * numColumns);
        for (let column = 0; column < numColumns; column += 1) out[column] += input * weights[column];
      }
    }
  }
}

/** The same where no input is zero: blocks of columns stand together, so that memory is read in a row. */
class DenseRows {
  constructor(values, numRows, numColumns) {
    Object.assign(this, { numRows, numColumns });
    const numBlocks = Math.ceil(numColumns / BLOCK);
    this.values = new Float32Array(numBlocks * numRows * BLOCK);
    for (let row = 0; row < numRows; row += 1) {
      for (let column = 0; column < numColumns; column += 1) {
        const place = (Math.floor(column / BLOCK) * numRows + row) * BLOCK + (column % BLOCK);
        this.values[place] = values[row * numColumns + column];
      }
    }
  }

  // Block by block, melody by melody: to take several melodies at once needs more registers than there are.
  add(inputs, batchSize, sums) {
    for (let column = 0; column < this.numColumns; column += BLOCK) {
      for (let melody = 0; melody < batchSize; melody += 1) this.#addBlock(inputs, melody, column, sums);
    }
  }

  #addBlock(inputs, melody, column, sums) {
    const { values, numRows, numColumns } = this;
    const first = melody * numRows;
    let a = 0;
    let b = 0;
    let c = 0;
    let d = 0;
    for (let row = 0, at = column * numRows; row < numRows; row += 1, at += BLOCK) {
      const input = inputs[first + row];
      a += input * values[at];
      b += input * values[at + 1];
      c += input * values[at + 2];
      d += input * values[at + 3];
    }
    addTo(sums, melody, column, numColumns, a, b, c, d);
  }
}

/** Four sums to their columns; a last block may be less wide. */
function addTo(sums, melody, column, numColumns, a, b, c, d) {
  const at = melody * numColumns + column;
  const width = numColumns - column;
  sums[at] += a;
  if (width > 1) sums[at + 1] += b;
  if (width > 2) sums[at + 2] += c;
  if (width > 3) sums[at + 3] += d;
}

/** y = [part, part, ...] K + b. The first `sparse` of the parts are the network's own inputs. */
class Dense {
  constructor(arrays, name, widths, { sparse = false, bias = true } = {}) {
    const { values, shape: [numRows, numColumns] } = array(arrays, `${name}.kernel`);
    if (widths.reduce((sum, width) => sum + width, 0) !== numRows) throw new Error(`array ${name}.kernel has ${numRows} rows`);
    this.numColumns = numColumns;
    this.bias = bias ? array(arrays, `${name}.bias`).values : new Float32Array(numColumns);
    let row = 0;
    this.parts = widths.map((width, i) => {
      const part = values.subarray(row * numColumns, (row + width) * numColumns);
      row += width;
      return new (i === 0 && sparse ? SparseRows : DenseRows)(part, width, numColumns);
    });
  }

  of(inputs, batchSize) {
    const sums = new Float64Array(batchSize * this.numColumns);
    for (let melody = 0; melody < batchSize; melody += 1) sums.set(this.bias, melody * this.numColumns);
    this.parts.forEach((part, i) => part.add(inputs[i], batchSize, sums));
    return sums;
  }
}

function array(arrays, name) {
  if (!Object.hasOwn(arrays, name)) throw new Error(`the weights have no array ${name}`);
  return arrays[name];
}

function sigmoid(x) {
  return 1 / (1 + Math.exp(-x));
}

/** A model's network. A state holds `cells` and `outputs` of each layer [B, H], and of an attention what it attends to. */
export class Network {
  constructor(arrays, inputSize, hparams) {
    const sizes = hparams.rnn_layer_sizes;
    this.sizes = sizes;
    this.residual = hparams.residual_connections;
    const size = hparams.attn_length ? array(arrays, "attention.score").values.length : 0;
    const scope = size ? hparams.attn_scope : null;
    this.attention = size ? new Attention(arrays, hparams, size) : null;
    let width = inputSize;
    let sparse = true; // until a product has been through the inputs
    const dense = (name, widths) => {
      const made = new Dense(arrays, name, widths, { sparse });
      sparse = false;
      return made;
    };
    const attended = (at) => (scope === at ? dense("attention.input", [width, size]) : null);
    this.layers = sizes.map((cells, i) => {
      const layer = { cells };
      if (i === 0) layer.attendedBefore = attended("stack");
      if (Object.hasOwn(arrays, `lstm.${i}.projection.kernel`)) {
        layer.projection = dense(`lstm.${i}.projection`, [width]);
        width = cells;
      }
      if (i === 0) layer.attendedAfter = attended("first_layer");
      layer.gates = dense(`lstm.${i}`, [width, cells]);
      width = cells;
      sparse &&= i > 0; // what a layer gives is not sparse
      return layer;
    });
    this.output = new Dense(arrays, "output", [width]);
  }

  initialState(batchSize) {
    const zeros = () => this.sizes.map((size) => new Float64Array(batchSize * size));
    return { batchSize, cells: zeros(), outputs: zeros(), ...this.attention?.initialState(batchSize) };
  }

  /** A copy of the state with the melodies at `rows`; rows may repeat. */
  select(state, rows) {
    const chosen = (values) => {
      const size = values.length / state.batchSize;
      const copy = new Float64Array(rows.length * size);
      rows.forEach((row, i) => copy.set(values.subarray(row * size, (row + 1) * size), i * size));
      return copy;
    };
    const { cells, outputs, attended, memory, keys, oldest } = state;
    const told = attended && { attended: chosen(attended), memory: chosen(memory), keys: chosen(keys), oldest };
    return { batchSize: rows.length, cells: cells.map(chosen), outputs: outputs.map(chosen), ...told };
  }

  /** Feed inputs [B, D]; the state goes on to what follows. Returns logits [B, C]. */
  step(inputs, state) {
    const { batchSize } = state;
    let below = inputs;
    this.layers.forEach((layer, i) => {
      if (layer.attendedBefore) below = layer.attendedBefore.of([below, state.attended], batchSize);
      if (layer.projection) below = layer.projection.of([below], batchSize);
      const skip = below;
      if (layer.attendedAfter) below = layer.attendedAfter.of([below, state.attended], batchSize);
      const sums = layer.gates.of([below, state.outputs[i]], batchSize);
      gate(sums, layer.cells, state.cells[i], state.outputs[i]);
      below = state.outputs[i];
      if (layer.attendedAfter) below = this.attention.advance(below, state, 1);
      if (this.residual) below = below.map((value, j) => value + skip[j]);
    });
    if (this.layers[0].attendedBefore) below = this.attention.advance(below, state, this.sizes.length);
    return this.output.of([below], batchSize);
  }
}

/** A layer's new c and h [B, H], in place, from the sums [B, 4H] of its gates i, j, f, o. */
function gate(sums, size, cells, outputs) {
  for (let at = 0, first = 0; at < cells.length; first += 3 * size) {
    for (let cell = 0; cell < size; cell += 1, at += 1, first += 1) {
      const taken = sigmoid(sums[first]) * Math.tanh(sums[first + size]);
      cells[at] = sigmoid(sums[first + 2 * size] + FORGET_BIAS) * cells[at] + taken;
      outputs[at] = sigmoid(sums[first + 3 * size]) * Math.tanh(cells[at]);
    }
  }
}

class Attention {
  constructor(arrays, hparams, size) {
    const inside = hparams.attn_scope === "stack" ? hparams.rnn_layer_sizes : hparams.rnn_layer_sizes.slice(0, 1);
    this.length = hparams.attn_length;
    this.size = size;
    this.query = new Dense(arrays, "attention.query", inside.flatMap((cells) => [cells, cells]));
    this.memoryKeys = new Dense(arrays, "attention.memory", [size], { bias: false });
    this.score = array(arrays, "attention.score").values;
    this.output = new Dense(arrays, "attention.output", [size, size]);
  }

  initialState(batchSize) {
    const zeros = (length) => new Float64Array(batchSize * length * this.size);
    return { attended: zeros(1), memory: zeros(this.length), keys: zeros(this.length), oldest: 0 };
  }

  /** Look back from the output of the layers inside; returns y [B, H], which replaces the oldest row of the memory. */
  advance(below, state, numInside) {
    const { length, size } = this;
    const { batchSize, memory, keys } = state;
    const inside = state.cells.slice(0, numInside).flatMap((cells, i) => [cells, state.outputs[i]]);
    const query = this.query.of(inside, batchSize);
    state.attended = new Float64Array(batchSize * size);
    for (let melody = 0; melody < batchSize; melody += 1) {
      const scores = [];
      for (let row = 0; row < length; row += 1) {
        const at = (melody * length + row) * size;
        let score = 0;
        for (let i = 0; i < size; i += 1) score += this.score[i] * Math.tanh(keys[at + i] + query[melody * size + i]);
        scores.push(score);
      }
      softmax(scores).forEach((weight, row) => {
        const at = (melody * length + row) * size;
        for (let i = 0; i < size; i += 1) state.attended[melody * size + i] += weight * memory[at + i];
      });
    }
    const output = this.output.of([below, state.attended], batchSize);
    const outputKeys = this.memoryKeys.of([output], batchSize);
    for (let melody = 0; melody < batchSize; melody += 1) {
      const at = (melody * length + state.oldest) * size;
      memory.set(output.subarray(melody * size, (melody + 1) * size), at);
      keys.set(outputKeys.subarray(melody * size, (melody + 1) * size), at);
    }
    state.oldest = (state.oldest + 1) % length;
    return output;
  }
}

/** Natural logarithms of the probabilities that logits stand for. */
export function logSoftmax(logits, temperature = 1) {
  const scaled = Array.from(logits, (logit) => logit / temperature);
  const most = scaled.reduce((one, other) => Math.max(one, other), -Infinity);
  const logSum = Math.log(scaled.reduce((sum, value) => sum + Math.exp(value - most), 0));
  return scaled.map((value) => value - most - logSum);
}

export function softmax(logits, temperature = 1) {
  return logSoftmax(logits, temperature).map(Math.exp);
}
