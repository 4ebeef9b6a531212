/** NumPy's random numbers, so that a seed makes here the melodies that it makes in Python: PCG64 and SeedSequence. */

const MASK_128 = (1n << 128n) - 1n;
const MULTIPLIER = 0x2360ed051fc65da44385df649fccf645n;
const POOL_SIZE = 4;

/** The 32 bits words of a whole number, the lowest first; 0 has one. */
function wordsOf(number) {
  const words = [];
  for (let rest = BigInt(number); rest > 0n; rest >>= 32n) words.push(Number(rest & 0xffffffffn));
  return words.length ? words : [0];
}

/** The hash that SeedSequence goes through its pool with; its constant changes with each word. */
function hashing(constant, multiplier) {
  return (value) => {
    value ^= constant;
    constant = Math.imul(constant, multiplier);
    value = Math.imul(value, constant);
    return (value ^ (value >>> 16)) >>> 0;
  };
}

function mix(one, other) {
  const mixed = (Math.imul(0xca01f9dd, one) - Math.imul(0x4973f715, other)) | 0;
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** The pool of a seed and of the numbers of its children, grandchildren, ... */
function poolOf(seed, spawnKey) {
  const entropy = wordsOf(seed);
  if (spawnKey.length) while (entropy.length < POOL_SIZE) entropy.push(0);
  entropy.push(...spawnKey.flatMap(wordsOf));
  const hash = hashing(0x43b0d7e5, 0x931e8875);
  const pool = Array.from({ length: POOL_SIZE }, (_, i) => hash(entropy[i] ?? 0));
  for (let from = 0; from < POOL_SIZE; from += 1) {
    for (let to = 0; to < POOL_SIZE; to += 1) if (from !== to) pool[to] = mix(pool[to], hash(pool[from]));
  }
  for (const word of entropy.slice(POOL_SIZE)) {
    for (let to = 0; to < POOL_SIZE; to += 1) pool[to] = mix(pool[to], hash(word));
  }
  return pool;
}

/** Random numbers of a seed, as `numpy.random.default_rng(seed)` gives them. */
export class Generator {
  #seed;
  #spawnKey;
  #numChildren = 0;
  #state = 0n;
  #increment;
  #half = null; // of 64 bits, one made two numbers of 32

  constructor(seed, spawnKey = []) {
    this.#seed = seed;
    this.#spawnKey = spawnKey;
    const pool = poolOf(seed, spawnKey);
    const hash = hashing(0x8b51f9dd, 0x58f38ded);
    const words = Array.from({ length: 8 }, (_, i) => BigInt(hash(pool[i % POOL_SIZE])));
    const [high, low, high2, low2] = [0, 2, 4, 6].map((i) => words[i] | (words[i + 1] << 32n));
    this.#increment = (((high2 << 64n) | low2) << 1n | 1n) & MASK_128;
    this.#step();
    this.#state = (this.#state + ((high << 64n) | low)) & MASK_128;
    this.#step();
  }

  /** Independent generators, other ones at each call. */
  spawn(count) {
    return Array.from({ length: count }, () => new Generator(this.#seed, [...this.#spawnKey, this.#numChildren++]));
  }

  /** A number of [0, 1). */
  random() {
    return Number(this.#next64() >> 11n) / 2 ** 53;
  }

  /** A whole number of 0 .. bound - 1. */
  integer(bound) {
    if (bound <= 1) return 0;
    const range = BigInt(bound);
    let product = this.#next32() * range;
    if ((product & 0xffffffffn) < range) {
      const threshold = (0x100000000n - range) % range;
      while ((product & 0xffffffffn) < threshold) product = this.#next32() * range;
    }
    return Number(product >> 32n);
  }

  #step() {
    this.#state = (this.#state * MULTIPLIER + this.#increment) & MASK_128;
  }

  #next64() {
    this.#step();
    const folded = BigInt.asUintN(64, (this.#state >> 64n) ^ this.#state);
    const turn = this.#state >> 122n;
    return BigInt.asUintN(64, (folded >> turn) | (folded << ((64n - turn) & 63n)));
  }

  #next32() {
    const kept = this.#half;
    if (kept !== null) {
      this.#half = null;
      return kept;
    }
    const both = this.#next64();
    this.#half = both >> 32n;
    return both & 0xffffffffn;
  }
}
