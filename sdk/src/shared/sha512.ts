// SHA-512 (FIPS 180-4), because React Native has no `crypto.subtle`. The constants are computed, not copied.

const big = (value: number): bigint => BigInt(value);
const MASK = (big(1) << big(64)) - big(1);

function primes(count: number): bigint[] {
  const found: number[] = [];
  for (let candidate = 2; found.length < count; candidate += 1) {
    if (found.every((prime) => candidate % prime !== 0)) found.push(candidate);
  }
  return found.map(big);
}

/** The whole part of the root, by halving the interval. */
function root(value: bigint, degree: number): bigint {
  let [low, high] = [big(0), big(1) << big(80)];
  while (high - low > big(1)) {
    const middle = (low + high) >> big(1);
    if (middle ** big(degree) <= value) low = middle;
    else high = middle;
  }
  return low;
}

interface Constants {
  /** The first 64 bits of the fractional parts of the cube roots of the first 80 primes. */
  round: bigint[];
  /** The same of the square roots of the first 8 primes. */
  start: bigint[];
}

let computed: Constants | undefined;
const constants = (): Constants =>
  (computed ??= {
    round: primes(80).map((prime) => root(prime << big(192), 3) & MASK),
    start: primes(8).map((prime) => root(prime << big(128), 2) & MASK),
  });

const turn = (value: bigint, by: number): bigint => ((value >> big(by)) | (value << big(64 - by))) & MASK;

/** The 64 bytes of the digest. */
export function sha512(message: Uint8Array): Uint8Array {
  const { round, start } = constants();
  const padded = new Uint8Array(Math.ceil((message.length + 17) / 128) * 128);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setBigUint64(padded.length - 8, big(message.length) * big(8));

  let state = [...start];
  for (let block = 0; block < padded.length; block += 128) {
    const schedule: bigint[] = [];
    const at = (index: number): bigint => schedule[index] ?? big(0);
    for (let step = 0; step < 80; step += 1) {
      if (step < 16) {
        schedule.push(view.getBigUint64(block + step * 8));
        continue;
      }
      const [early, late] = [at(step - 15), at(step - 2)];
      const small = turn(early, 1) ^ turn(early, 8) ^ (early >> big(7));
      const large = turn(late, 19) ^ turn(late, 61) ^ (late >> big(6));
      schedule.push((at(step - 16) + small + at(step - 7) + large) & MASK);
    }
    const zero = big(0);
    let [a = zero, b = zero, c = zero, d = zero, e = zero, f = zero, g = zero, h = zero] = state;
    for (let step = 0; step < 80; step += 1) {
      const first = h + (turn(e, 14) ^ turn(e, 18) ^ turn(e, 41)) + ((e & f) ^ (~e & MASK & g)) + (round[step] ?? zero) + at(step);
      const second = (turn(a, 28) ^ turn(a, 34) ^ turn(a, 39)) + ((a & b) ^ (a & c) ^ (b & c));
      [a, b, c, d, e, f, g, h] = [(first + second) & MASK, a, b, c, (d + first) & MASK, e, f, g];
    }
    const after = [a, b, c, d, e, f, g, h];
    state = state.map((value, index) => (value + (after[index] ?? zero)) & MASK);
  }
  const digest = new DataView(new ArrayBuffer(64));
  state.forEach((value, index) => digest.setBigUint64(index * 8, value));
  return new Uint8Array(digest.buffer);
}
