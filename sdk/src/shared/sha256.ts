// SHA-256 (FIPS 180-4), because React Native has no `crypto.subtle`. The constants are computed, not copied.

const word = (value: number): number => Math.floor((value - Math.floor(value)) * 2 ** 32);

function primes(count: number): number[] {
  const found: number[] = [];
  for (let candidate = 2; found.length < count; candidate += 1) {
    if (found.every((prime) => candidate % prime !== 0)) found.push(candidate);
  }
  return found;
}

/** The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
const ROUND = primes(64).map((prime) => word(Math.cbrt(prime)));
/** The same of the square roots of the first 8 primes. */
const START = primes(8).map((prime) => word(Math.sqrt(prime)));

const turn = (value: number, by: number): number => (value >>> by) | (value << (32 - by));

/** The 32 bytes of the digest. */
export function sha256(message: Uint8Array): Uint8Array {
  const padded = new Uint8Array(Math.ceil((message.length + 9) / 64) * 64);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(message.length / 2 ** 29));
  view.setUint32(padded.length - 4, (message.length * 8) >>> 0);

  const state = Uint32Array.from(START);
  const schedule = new Uint32Array(64);
  const at = (index: number): number => schedule[index] ?? 0;
  for (let block = 0; block < padded.length; block += 64) {
    for (let step = 0; step < 64; step += 1) {
      if (step < 16) {
        schedule[step] = view.getUint32(block + step * 4);
        continue;
      }
      const [early, late] = [at(step - 15), at(step - 2)];
      const small = turn(early, 7) ^ turn(early, 18) ^ (early >>> 3);
      const large = turn(late, 17) ^ turn(late, 19) ^ (late >>> 10);
      schedule[step] = at(step - 16) + small + at(step - 7) + large;
    }
    let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
    for (let step = 0; step < 64; step += 1) {
      const first = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + (ROUND[step] ?? 0) + at(step)) >>> 0;
      const second = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) >>> 0;
      [a, b, c, d, e, f, g, h] = [(first + second) >>> 0, a, b, c, (d + first) >>> 0, e, f, g];
    }
    [a, b, c, d, e, f, g, h].forEach((value, index) => { state[index] = (state[index] ?? 0) + value; });
  }
  const digest = new DataView(new ArrayBuffer(32));
  state.forEach((value, index) => digest.setUint32(index * 4, value));
  return new Uint8Array(digest.buffer);
}
