// A QR code as SVG (ISO/IEC 18004): bytes, error correction level M, versions 1 to 10. A challenge needs version 3.

import { utf8 } from '../shared/bytes.js';

/** By version: all codewords, those of error correction in each block, blocks, and where alignment patterns stand. */
const VERSIONS: readonly (readonly [number, number, number, readonly number[]])[] = [
  [26, 10, 1, []],
  [44, 16, 1, [6, 18]],
  [70, 26, 1, [6, 22]],
  [100, 18, 2, [6, 26]],
  [134, 24, 2, [6, 30]],
  [172, 16, 4, [6, 34]],
  [196, 18, 4, [6, 22, 38]],
  [242, 22, 4, [6, 24, 42]],
  [292, 22, 5, [6, 26, 46]],
  [346, 26, 5, [6, 28, 50]],
];

/** The most bytes a code can hold. */
export const MOST_BYTES = 213;

/** Draws a text as a QR code: one SVG element with a quiet zone, black on white. Throws a `RangeError` over 213 bytes. */
export function qrSvg(text: string, { title = 'QR code' }: { title?: string } = {}): string {
  const modules = qrModules(text);
  const size = modules.length + 8;
  let path = '';
  modules.forEach((row, y) => {
    for (let x = 0; x < row.length; x += 1) {
      let end = x;
      while (row[end]) end += 1;
      if (end > x) path += `M${x + 4} ${y + 4}h${end - x}v1h-${end - x}z`;
      x = end;
    }
  });
  const label = title.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size} ${size}" role="img" aria-label="${label}" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h${size}v${size}H0z"/><path fill="#000" d="${path}"/></svg>`;
}

/** The modules of the code, row by row; `true` is dark. */
export function qrModules(text: string): boolean[][] {
  const bytes = utf8(text);
  const version = VERSIONS.findIndex(([all, correction, blocks], index) => bytes.length + (index < 9 ? 2 : 3) <= all - correction * blocks) + 1;
  if (version === 0) throw new RangeError(`a QR code holds at most ${MOST_BYTES} bytes here, not ${bytes.length}`);
  const codewords = interleaved(data(bytes, version), version);
  let best: { modules: boolean[][]; penalty: number } | undefined;
  for (let mask = 0; mask < 8; mask += 1) {
    const modules = drawn(codewords, version, mask);
    const found = penalty(modules);
    if (!best || found < best.penalty) best = { modules, penalty: found };
  }
  return best!.modules;
}

/** Mode, length, bytes, and what fills the rest. */
function data(bytes: Uint8Array, version: number): number[] {
  const [all, correction, blocks] = VERSIONS[version - 1]!;
  const capacity = all - correction * blocks;
  const bits: number[] = [];
  const push = (value: number, length: number): void => {
    for (let bit = length - 1; bit >= 0; bit -= 1) bits.push((value >> bit) & 1);
  };
  push(0b0100, 4);
  push(bytes.length, version < 10 ? 8 : 16);
  for (const byte of bytes) push(byte, 8);
  push(0, Math.min(4, capacity * 8 - bits.length));
  while (bits.length % 8 !== 0) bits.push(0);
  const words: number[] = [];
  for (let at = 0; at < bits.length; at += 8) words.push(bits.slice(at, at + 8).reduce((word, bit) => (word << 1) | bit, 0));
  for (let pad = 0xec; words.length < capacity; pad ^= 0xec ^ 0x11) words.push(pad);
  return words;
}

/** Data and error correction, word by word from one block after the other. The last blocks may be a word longer. */
function interleaved(words: number[], version: number): number[] {
  const [, correction, blocks] = VERSIONS[version - 1]!;
  const short = Math.floor(words.length / blocks);
  const longer = words.length % blocks;
  const parts: number[][] = [];
  for (let block = 0, at = 0; block < blocks; block += 1) {
    const length = short + (block >= blocks - longer ? 1 : 0);
    parts.push(words.slice(at, at + length));
    at += length;
  }
  const corrections = parts.map((part) => remainder(part, correction));
  const result: number[] = [];
  for (let at = 0; at <= short; at += 1) for (const part of parts) if (at < part.length) result.push(part[at]!);
  for (let at = 0; at < correction; at += 1) for (const part of corrections) result.push(part[at]!);
  return result;
}

/** A product in the field of 256 elements modulo x⁸ + x⁴ + x³ + x² + 1. */
function product(a: number, b: number): number {
  let result = 0;
  for (let bit = 7; bit >= 0; bit -= 1) {
    result = (result << 1) ^ ((result >> 7) * 0x11d);
    if ((b >> bit) & 1) result ^= a;
  }
  return result;
}

/** The Reed–Solomon remainder: the words that make the whole divisible. */
function remainder(words: number[], length: number): number[] {
  // The generator without its leading one: the product of (x - 2^i).
  let generator = [1];
  for (let index = 0, root = 1; index < length; index += 1, root = product(root, 2)) {
    const next = [...generator, 0];
    generator.forEach((factor, at) => { next[at + 1] = next[at + 1]! ^ product(factor, root); });
    generator = next;
  }
  const result = new Array<number>(length).fill(0);
  for (const word of words) {
    const factor = word ^ result.shift()!;
    result.push(0);
    for (let at = 0; at < length; at += 1) result[at] = result[at]! ^ product(generator[at + 1]!, factor);
  }
  return result;
}

const MASKS: readonly ((x: number, y: number) => boolean)[] = [
  (x, y) => (x + y) % 2 === 0,
  (_, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

/** A value followed by the remainder that makes it a word of a BCH code. */
function checked(value: number, generator: number, length: number): number {
  let rest = value << length;
  for (let bit = 31 - Math.clz32(rest); bit >= length; bit = 31 - Math.clz32(rest)) rest ^= generator << (bit - length);
  return (value << length) | rest;
}

function drawn(codewords: number[], version: number, mask: number): boolean[][] {
  const size = 17 + 4 * version;
  const modules: (boolean | undefined)[][] = Array.from({ length: size }, () => new Array<boolean | undefined>(size).fill(undefined));
  const set = (x: number, y: number, dark: boolean): void => {
    const row = modules[y];
    if (row && x >= 0 && x < size) row[x] = dark;
  };
  // Finders with their white border, timing, alignment.
  for (const [left, top] of [[0, 0], [size - 7, 0], [0, size - 7]] as const)
    for (let y = -1; y <= 7; y += 1)
      for (let x = -1; x <= 7; x += 1) {
        const ring = Math.max(Math.abs(x - 3), Math.abs(y - 3));
        set(left + x, top + y, ring !== 2 && ring !== 4);
      }
  for (let at = 8; at < size - 8; at += 1) {
    set(at, 6, at % 2 === 0);
    set(6, at, at % 2 === 0);
  }
  const centres = VERSIONS[version - 1]![3];
  for (const cx of centres)
    for (const cy of centres) {
      const corner = (cx === 6 && cy === 6) || (cx === 6 && cy === size - 7) || (cx === size - 7 && cy === 6);
      if (corner) continue;
      for (let y = -2; y <= 2; y += 1) for (let x = -2; x <= 2; x += 1) set(cx + x, cy + y, Math.max(Math.abs(x), Math.abs(y)) !== 1);
    }
  // Level M is 00; the mask of the standard keeps the word from being all white.
  const format = checked(mask, 0x537, 10) ^ 0x5412;
  for (let bit = 0; bit < 15; bit += 1) {
    const dark = ((format >> bit) & 1) === 1;
    const column = bit < 6 ? bit : bit < 8 ? bit + 1 : size - 15 + bit;
    set(8, column, dark);
    const row = bit < 8 ? size - 1 - bit : bit === 8 ? 7 : 14 - bit;
    set(row, 8, dark);
  }
  set(8, size - 8, true);
  if (version >= 7) {
    const word = checked(version, 0x1f25, 12);
    for (let bit = 0; bit < 18; bit += 1) {
      const dark = ((word >> bit) & 1) === 1;
      set(size - 11 + (bit % 3), Math.floor(bit / 3), dark);
      set(Math.floor(bit / 3), size - 11 + (bit % 3), dark);
    }
  }
  // Two columns at a time, upwards and downwards in turn, from the right; the column of the timing pattern is left out.
  let at = 0;
  for (let right = size - 1, up = true; right > 0; right -= 2, up = !up) {
    if (right === 6) right = 5;
    for (let step = 0; step < size; step += 1) {
      const y = up ? size - 1 - step : step;
      for (const x of [right, right - 1]) {
        if (modules[y]![x] !== undefined) continue;
        const bit = ((codewords[at >> 3] ?? 0) >> (7 - (at & 7))) & 1;
        modules[y]![x] = (bit === 1) !== MASKS[mask]!(x, y);
        at += 1;
      }
    }
  }
  return modules as boolean[][];
}

/** How hard the pattern is to read: long runs, blocks, what looks like a finder, more of one colour. */
function penalty(modules: boolean[][]): number {
  const size = modules.length;
  let total = 0;
  let dark = 0;
  const lines = [modules, modules.map((_, x) => modules.map((row) => row[x]!))];
  for (const line of lines.flat()) {
    const text = line.map((module) => (module ? '1' : '0')).join('');
    for (const run of text.match(/0{5,}|1{5,}/g) ?? []) total += run.length - 2;
    for (let x = 0; x + 11 <= size; x += 1) if (['10111010000', '00001011101'].includes(text.slice(x, x + 11))) total += 40;
  }
  for (let y = 0; y < size; y += 1)
    for (let x = 0; x < size; x += 1) {
      if (modules[y]![x]) dark += 1;
      const here = modules[y]![x];
      if (x + 1 < size && y + 1 < size && modules[y]![x + 1] === here && modules[y + 1]![x] === here && modules[y + 1]![x + 1] === here) total += 3;
    }
  return total + 10 * Math.floor(Math.abs((100 * dark) / (size * size) - 50) / 5);
}
